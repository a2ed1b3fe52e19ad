package broker_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/broker"
)

func TestParseClusterConfig(t *testing.T) {
	const three = "1@a.example:9092,2@b.example:9092,3@c.example:9092"
	base := func(more ...string) map[string]string {
		props := map[string]string{"node.id": "2", "listeners": "PLAINTEXT://0.0.0.0:9092", "controller.quorum.voters": three}
		for i := 0; i+1 < len(more); i += 2 {
			props[more[i]] = more[i+1]
		}
		return props
	}
	cfg, err := broker.ParseConfig(base("zookeeper.connect", "zk1:2181,zk2:2181"))
	if err != nil {
		t.Fatal(err)
	}
	want := []broker.Voter{{ID: 1, Address: "a.example:9092"}, {ID: 2, Address: "b.example:9092"}, {ID: 3, Address: "c.example:9092"}}
	if diff := cmp.Diff(want, cfg.Voters); diff != "" || cfg.ReplicationFactor != 3 || cfg.Static["min.insync.replicas"] != "2" {
		t.Errorf("voters (-want +got):\n%s; replication %d, min.insync.replicas %s", diff, cfg.ReplicationFactor, cfg.Static["min.insync.replicas"])
	}
	cfg, err = broker.ParseConfig(base("listeners", "PLAINTEXT://:9094,CONTROLLER://:9092", "controller.listener.names", "CONTROLLER",
		"listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT", "process.roles", "broker,controller"))
	if err != nil || cfg.ControllerListener != "CONTROLLER" || len(cfg.Listeners) != 2 {
		t.Errorf("Kafka's way of a controller listener: %+v, %v", cfg.Listeners, err)
	}
	for name, c := range map[string]struct {
		props map[string]string
		want  string
	}{
		"no id":             {base("controller.quorum.voters", "a:9092"), "controller.quorum.voters: must be a list of id@host:port"},
		"id twice":          {base("controller.quorum.voters", "1@a:1,1@b:2"), "every voter must have an id and an address of its own"},
		"another port":      {base("listeners", "PLAINTEXT://0.0.0.0:9095"), "the port of node 2 must be that of one of its listeners"},
		"not a controller":  {base("process.roles", "broker"), "process.roles: must contain controller"},
		"a controller":      {base("node.id", "7", "process.roles", "broker,controller"), "process.roles: must not contain controller"},
		"ZooKeeper":         {map[string]string{"broker.id": "4", "zookeeper.connect": "zk1:2181,zk2:2181"}, "no ZooKeeper is needed"},
		"unknown listener":  {base("inter.broker.listener.name", "INTERNAL"), "inter.broker.listener.name: must be the name of one of listeners"},
		"session too short": {base("broker.session.timeout.ms", "1000"), "broker.session.timeout.ms: must be at least twice broker.heartbeat.interval.ms"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := broker.ParseConfig(c.props); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
