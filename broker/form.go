package broker

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"millrace/broker/internal/vfs"
	"millrace/broker/metadata"
	"millrace/broker/peers"
	"millrace/broker/quorum"
)

// membership is this node's part in the quorum, as far as its start needs it.
type membership struct {
	raftID uint64
	// voters and genesis are set on the node that makes the cluster, or is one alone.
	voters  []uint64
	genesis []byte
	// known are members that answers must reach before the metadata is here.
	known []metadata.Member
}

const (
	helloTimeout = time.Second
	joinTimeout  = 5 * time.Second
	// formPause is between two rounds of asking; formReport between two log lines that say what is missing.
	formPause  = 100 * time.Millisecond
	formReport = 10 * time.Second
)

// form finds out which member of the quorum this node is.
//
// A directory that was used before knows. A new one alone makes a cluster of its own. A new one with other voters in its configuration
// asks them all: if one has a cluster this node joins it, as the member it was meant to be or as a new one; if all are new,
// the voter with the lowest id makes the cluster and the others hear of it.
func (b *Broker) form(ctx context.Context, p *parts) (membership, error) {
	first := uint64(p.self) + 1 // raft has no id 0
	dir := filepath.Join(b.cfg.DataDir, metadataDir)
	id, used, err := quorum.ReadMember(vfs.OS, dir)
	switch {
	case err != nil:
		return membership{}, err
	case id != 0:
		p.used.Store(true)
		return membership{raftID: id}, nil
	case used || b.cfg.others() == 0:
		p.used.Store(used)
		return membership{raftID: first, voters: []uint64{first}}, nil
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	var reported time.Time
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return membership{}, context.Cause(ctx)
		}
		m, missing, err := b.tryForm(ctx, p)
		if err != nil {
			return membership{}, err
		}
		if len(m.voters) > 0 {
			return m, nil // what it begins with will be in the directory
		}
		if m.raftID != 0 {
			return m, quorum.WriteMember(vfs.OS, dir, m.raftID)
		}
		if now := time.Now(); now.Sub(reported) > formReport {
			if !reported.IsZero() {
				b.log.Warn("waiting for the voters of controller.quorum.voters", "missing", missing)
			}
			reported = now
		}
		timer.Reset(formPause)
	}
}

// tryForm asks once. Without a raft id in its result it is to be asked again.
func (b *Broker) tryForm(ctx context.Context, p *parts) (m membership, missing string, err error) {
	answers := b.askAll(ctx, p)
	var silent []string
	everybody := []peers.Hello{*p.hello()}
	for id, h := range answers {
		if h == nil {
			silent = append(silent, strconv.Itoa(int(id)))
			continue
		}
		if mine := p.logs.ClusterID(); mine != "" && h.Cluster != "" && h.Cluster != mine {
			return m, "", fmt.Errorf("node %d belongs to cluster %s, this node's data directory %s to cluster %s; use an empty directory or the other cluster's voters",
				id, h.Cluster, b.cfg.DataDir, mine)
		}
		if h.Formed && len(h.Members) > 0 {
			return b.joinFormed(ctx, p, h)
		}
		if h.Formed {
			missing = "a leader"
		}
		everybody = append(everybody, *h)
	}
	slices.Sort(silent)
	lowest := slices.MinFunc(b.cfg.Voters, func(a, b Voter) int { return int(a.ID) - int(b.ID) }).ID
	if len(silent) > 0 || missing != "" || lowest != b.cfg.NodeID {
		return m, strings.Join(append(silent, missing), " "), nil
	}
	return b.genesis(p, everybody)
}

// askAll says hello to every other voter; nil is no answer.
func (b *Broker) askAll(ctx context.Context, p *parts) map[metadata.BrokerID]*peers.Hello {
	ctx, cancel := context.WithTimeout(ctx, helloTimeout)
	defer cancel()
	link := p.pool.Link("form", 1)
	answers := make(map[metadata.BrokerID]*peers.Hello)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, v := range b.cfg.Voters {
		if v.ID == b.cfg.NodeID {
			continue
		}
		wg.Go(func() {
			h, _ := greet(ctx, link, metadata.BrokerID(v.ID), p.hello()) // who does not answer is asked again
			mu.Lock()
			defer mu.Unlock()
			answers[metadata.BrokerID(v.ID)] = h
		})
	}
	wg.Wait()
	return answers
}

func greet(ctx context.Context, link *peers.Link, to metadata.BrokerID, hello *peers.Hello) (*peers.Hello, error) {
	resp, err := link.Request(ctx, to, &peers.Request{Kind: peers.KindHello, Body: hello.Append(nil)})
	if err != nil {
		return nil, err
	}
	h := new(peers.Hello)
	return h, h.Read(resp.(*peers.Response).Body)
}

// joinFormed finds this node's place in a cluster that is there already.
func (b *Broker) joinFormed(ctx context.Context, p *parts, h *peers.Hello) (membership, string, error) {
	place := func(members []metadata.Member) (membership, string, error) {
		for _, m := range members {
			if m.Node == p.self && m.Directory == p.directory {
				return membership{raftID: m.RaftID, known: members}, "", p.logs.SetClusterID(h.Cluster)
			}
		}
		return membership{}, "a place in the quorum", nil
	}
	if m, _, err := place(h.Members); err != nil || m.raftID != 0 {
		return m, "", err
	}
	if h.Leader == metadata.NoBroker {
		return membership{}, "a leader", nil
	}
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	j := peers.Join{Node: p.self, Directory: p.directory, Cluster: p.logs.ClusterID(), Voter: b.cfg.voter(b.cfg.NodeID)}
	resp, err := p.pool.Link("form", 1).Request(ctx, h.Leader, &peers.Request{Kind: peers.KindJoin, Body: j.Append(nil)})
	if err != nil {
		return membership{}, fmt.Sprintf("the leader, node %d (%v)", h.Leader, err), nil
	}
	answer := resp.(*peers.Response)
	switch answer.Code {
	case 0:
	case kerr.DuplicateBrokerRegistration.Code:
		return membership{}, fmt.Sprintf("node id %d: another process with another data directory has it and is alive", p.self), nil
	case kerr.NotController.Code:
		return membership{}, "a leader", nil
	default:
		return membership{}, "", fmt.Errorf("join the cluster by node %d: %w", h.Leader, kerr.ErrorForCode(answer.Code))
	}
	var joined peers.Hello
	if err := joined.Read(answer.Body); err != nil {
		return membership{}, "", err
	}
	return place(joined.Members)
}

// genesis makes a cluster of voters that are all new.
func (b *Broker) genesis(p *parts, everybody []peers.Hello) (membership, string, error) {
	cluster := p.logs.ClusterID() // of the configuration, or of an attempt that a crash cut short
	if cluster == "" {
		var err error
		if cluster, err = newClusterID(); err != nil {
			return membership{}, "", err
		}
	}
	slices.SortFunc(everybody, func(a, b peers.Hello) int { return int(a.Node) - int(b.Node) })
	m := membership{raftID: uint64(p.self) + 1}
	records := []metadata.Record{&metadata.ClusterRecord{ClusterID: cluster}}
	for i, h := range everybody {
		if i > 0 && h.Node == everybody[i-1].Node {
			return membership{}, "", &KeyError{Key: "controller.quorum.voters", Value: fmt.Sprint(h.Node),
				Rule: "two addresses lead to the same node"}
		}
		raftID := uint64(h.Node) + 1
		m.voters = append(m.voters, raftID)
		records = append(records, &metadata.MemberRecord{Node: h.Node, Directory: h.Directory, RaftID: raftID, Voter: true})
	}
	m.genesis = metadata.AppendBatch(nil, records)
	b.log.Info("making a cluster", "cluster", cluster, "voters", len(everybody))
	return m, "", p.logs.SetClusterID(cluster)
}

// address is where another node's inter-broker listener is: as the node says itself, else as the configuration does.
func (b *Broker) address(p *parts, id metadata.BrokerID) (string, bool) {
	p.mu.Lock()
	learned, said := p.learned[id]
	p.mu.Unlock()
	if isDone(p.front.formed) {
		if r := p.controller.Newest().Broker(id); r != nil && !(r.Fenced && said) {
			if l, ok := r.Listener(b.cfg.interBroker()); ok {
				return net.JoinHostPort(l.Host, strconv.Itoa(int(l.Port))), true
			}
		}
	}
	if said {
		return learned, true
	}
	for _, v := range b.cfg.Voters {
		if metadata.BrokerID(v.ID) == id {
			return v.Address, true
		}
	}
	return "", false
}

// nodeOf is the node that has a raft id.
func (p *parts) nodeOf(raftID uint64, m membership) metadata.BrokerID {
	if id := p.controller.Newest().NodeOfRaftID(raftID); id != metadata.NoBroker {
		return id
	}
	for _, k := range m.known {
		if k.RaftID == raftID {
			return k.Node
		}
	}
	return metadata.NoBroker
}

// others counts the other nodes that the configuration names.
func (c Config) others() int {
	n := 0
	for _, v := range c.Voters {
		if v.ID != c.NodeID {
			n++
		}
	}
	return n
}

func (c Config) voter(id int32) bool {
	return slices.ContainsFunc(c.Voters, func(v Voter) bool { return v.ID == id })
}

// nodeListeners are the listeners that other nodes may use.
func (c Config) nodeListeners() []string {
	names := []string{c.interBroker()}
	if c.ControllerListener != "" {
		names = append(names, c.ControllerListener)
	}
	return names
}

// interBroker is the listener that other nodes use.
func (c Config) interBroker() string {
	if c.InterBrokerListener != "" {
		return c.InterBrokerListener
	}
	for _, l := range c.Listeners {
		if l.Name != c.ControllerListener {
			return l.Name
		}
	}
	return c.ControllerListener
}
