package mirror

import (
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/connectors"
)

// A side is one of the two clusters, named as the keys of its clients are.
type side string

const (
	theSource side = "source"
	theTarget side = "target"
)

// props are the settings of a client of kind producer, consumer or admin, a later one replacing an earlier one:
//
//	<side>.cluster.    bootstrap.servers, security.protocol, sasl.*, ssl.*
//	<kind>.            any
//	<side>.<kind>.     any
//
// Those after <kind>.override. are for the worker's clients.
func (s *settings) props(at side, kind string) map[string]string {
	props := make(map[string]string)
	for k, v := range s.raw {
		if name, ok := strings.CutPrefix(k, string(at)+".cluster."); ok && forCluster(name) {
			props[name] = v
		}
	}
	for _, prefix := range []string{kind + ".", string(at) + "." + kind + "."} {
		for k, v := range s.raw {
			name, ok := strings.CutPrefix(k, prefix)
			if ok && k != keyPollTimeout && k != keyAdminTimeout && !strings.HasPrefix(name, "override.") {
				props[name] = v
			}
		}
	}
	return props
}

func forCluster(name string) bool {
	return name == "bootstrap.servers" || name == "security.protocol" || strings.HasPrefix(name, "sasl.") || strings.HasPrefix(name, "ssl.")
}

// clientID tells brokers who calls: the clusters, the connector, the task, what the client is for.
func (s *settings) clientID(props map[string]string, role string) string {
	id := s.source + "->" + s.target + "|" + s.String(keyName)
	if !s.IsNull(keyTaskIndex) {
		id += "-" + strconv.Itoa(int(s.Int(keyTaskIndex)))
	}
	id += "|" + role
	if own := strings.TrimSpace(props["client.id"]); own != "" {
		id = own + "|" + id
	}
	delete(props, "client.id")
	return id
}

// prepare returns the settings of a client. The source has to be named: it cannot be the worker's own log by default.
func (s *settings) prepare(at side, kind, role string) (clientID string, props map[string]string, err error) {
	props = s.props(at, kind)
	if at == theSource && strings.TrimSpace(props["bootstrap.servers"]) == "" {
		const key = "source.cluster.bootstrap.servers"
		return "", nil, &connectors.ConfigError{Msg: `Missing required configuration "` + key + `": the addresses of the cluster to read.`}
	}
	return s.clientID(props, role), props, nil
}

// A client manages a cluster.
type client struct {
	*kadm.Client
	raw *kgo.Client
}

func (e Environment) admin(s *settings, at side, role string) (*client, error) {
	id, props, err := s.prepare(at, "admin", role)
	if err != nil {
		return nil, err
	}
	raw, err := e.Clients.Admin(id, props)
	if err != nil {
		return nil, err
	}
	return &client{kadm.NewClient(raw), raw}, nil
}

// Close does nothing to no client.
func (c *client) Close() {
	if c != nil {
		c.raw.Close()
	}
}

func (e Environment) producer(s *settings, at side, role string) (*kgo.Client, error) {
	id, props, err := s.prepare(at, "producer", role)
	if err != nil {
		return nil, err
	}
	return e.Clients.Producer(id, props)
}

// reader makes a consumer without a group. byDefault are settings where the configuration has none.
func (e Environment) reader(s *settings, at side, role string, byDefault map[string]string, opts ...kgo.Opt) (*kgo.Client, error) {
	id, props, err := s.prepare(at, "consumer", role)
	if err != nil {
		return nil, err
	}
	for k, v := range byDefault {
		if _, set := props[k]; !set {
			props[k] = v
		}
	}
	delete(props, "enable.auto.commit") // nothing is committed, as in Kafka, whatever it says
	given, err := e.Clients.Reader(id, props)
	if err != nil {
		return nil, err
	}
	return kgo.NewClient(append(given, opts...)...)
}

// syncsSide is the cluster that has the offset-syncs topic.
func (s *settings) syncsSide() side { return side(s.String(keySyncsLocation)) }
