package broker

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"millrace/broker/metadata"
)

// manyNodes is from how many voters on topics have several replicas unless the configuration says otherwise.
const manyNodes = 3

// voters reads controller.quorum.voters.
func (p *parser) voters() {
	const key, form = "controller.quorum.voters", "must be a list of id@host:port"
	var voters []Voter
	for _, entry := range metadata.SplitList(p.props[key]) {
		id, address, ok := strings.Cut(entry, "@")
		n, err := strconv.ParseInt(id, 10, 32)
		host, port, addressErr := net.SplitHostPort(address)
		switch {
		case !ok || err != nil || n < 0 || addressErr != nil || host == "" || !isPort(port):
			p.wrong(key, form)
			return
		case slices.ContainsFunc(voters, func(v Voter) bool { return v.ID == int32(n) || v.Address == address }):
			p.wrong(key, fmt.Sprintf("every voter must have an id and an address of its own; %s has one twice", entry))
			return
		}
		voters = append(voters, Voter{ID: int32(n), Address: address})
	}
	if len(voters) > 0 {
		p.cfg.Voters = voters
	}
}

// names reports whether an address of listeners has the port of this node's entry among the voters.
func (p *parser) names(address string) bool {
	if len(p.cfg.Voters) < 2 {
		return false
	}
	_, port, _ := net.SplitHostPort(address) // it is well formed
	for _, v := range p.cfg.Voters {
		if v.ID == p.cfg.NodeID {
			_, own, _ := net.SplitHostPort(v.Address)
			return own == port
		}
	}
	return false
}

// cluster checks the keys that say how this node and others are one cluster, against each other.
func (p *parser) cluster() {
	c := &p.cfg
	voter := c.voter(c.NodeID)
	roles := metadata.SplitList(p.props["process.roles"])
	switch {
	case len(roles) == 0:
	case !slices.Contains(roles, "broker"):
		p.wrong("process.roles", "must contain broker; a controller is part of a broker here")
	case len(c.Voters) > 0 && voter && !slices.Contains(roles, "controller"):
		p.wrong("process.roles", fmt.Sprintf("must contain controller, as controller.quorum.voters names node %d; or leave process.roles out", c.NodeID))
	case len(c.Voters) > 0 && !voter && slices.Contains(roles, "controller"):
		p.wrong("process.roles", fmt.Sprintf("must not contain controller, as controller.quorum.voters does not name node %d; or leave process.roles out", c.NodeID))
	}
	if len(c.Voters) == 1 && !voter && p.has("node.id") == false && p.has("broker.id") == false {
		p.wrong("controller.quorum.voters", fmt.Sprintf("names node %d, this node is %d; set node.id", c.Voters[0].ID, c.NodeID))
	}
	if servers := metadata.SplitList(p.props["controller.quorum.bootstrap.servers"]); len(servers) > 1 && len(c.Voters) == 0 {
		p.wrong("controller.quorum.bootstrap.servers", "name the nodes in controller.quorum.voters, as id@host:port, as well")
	}
	if zk := metadata.SplitList(p.props["zookeeper.connect"]); len(c.Voters) == 0 && elsewhere(zk) {
		p.wrong("zookeeper.connect", fmt.Sprintf("no ZooKeeper is needed, the brokers agree among themselves: add the line "+
			"controller.quorum.voters=%d@<host>:<port>,<id>@<host>:<port>,... with the id and listener of each broker, the same on all", c.NodeID))
	}
	if voter && c.others() > 0 && len(c.Listeners) > 0 && !p.reachable() {
		p.wrong("controller.quorum.voters", fmt.Sprintf("the port of node %d must be that of one of its listeners or advertised.listeners", c.NodeID))
	}
	if len(c.Voters) >= manyNodes {
		if !p.has("default.replication.factor") {
			c.ReplicationFactor = manyNodes
		}
		if !p.has("min.insync.replicas") {
			p.static("min.insync.replicas", "2")
		}
	}
}

// elsewhere reports whether a list of ZooKeeper addresses is that of a cluster of several machines.
func elsewhere(servers []string) bool {
	if len(servers) > 1 {
		return true
	}
	for _, s := range servers {
		host, _, _ := strings.Cut(s, ":")
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return true
		}
	}
	return false
}

// reachable reports whether this node's address among the voters is one of its listeners.
func (p *parser) reachable() bool {
	var own string
	for _, v := range p.cfg.Voters {
		if v.ID == p.cfg.NodeID {
			_, own, _ = net.SplitHostPort(v.Address)
		}
	}
	for _, l := range p.cfg.Listeners {
		for _, address := range []string{l.Address, l.Advertised} {
			if _, port, err := net.SplitHostPort(address); err == nil && (port == own || port == "0") {
				return true
			}
		}
	}
	return false
}
