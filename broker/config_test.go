package broker_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"millrace/broker"
	"millrace/broker/brokertest"
)

// kafkaDefaults is what Apache Kafka's own config/server.properties sets.
var kafkaDefaults = map[string]string{
	"process.roles": "broker,controller", "node.id": "1", "controller.quorum.bootstrap.servers": "localhost:9093",
	"listeners": "PLAINTEXT://:9092,CONTROLLER://:9093", "inter.broker.listener.name": "PLAINTEXT",
	"advertised.listeners":           "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093",
	"controller.listener.names":      "CONTROLLER",
	"listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL",
	"num.network.threads":            "3", "num.io.threads": "8", "socket.send.buffer.bytes": "102400",
	"socket.receive.buffer.bytes": "102400", "socket.request.max.bytes": "104857600", "log.dirs": "/tmp/kraft-combined-logs",
	"num.partitions": "1", "num.recovery.threads.per.data.dir": "1", "offsets.topic.replication.factor": "1",
	"share.coordinator.state.topic.replication.factor": "1", "share.coordinator.state.topic.min.isr": "1",
	"transaction.state.log.replication.factor": "1", "transaction.state.log.min.isr": "1",
	"log.retention.hours": "168", "log.segment.bytes": "1073741824", "log.retention.check.interval.ms": "300000",
}

func TestParseConfig(t *testing.T) {
	t.Run("Apache Kafka's own file", func(t *testing.T) {
		cfg, err := broker.ParseConfig(kafkaDefaults)
		if err != nil {
			t.Fatal(err)
		}
		want := []broker.Listener{{Name: "PLAINTEXT", Address: ":9092", Advertised: "localhost:9092"}}
		if diff := cmp.Diff(want, cfg.Listeners); diff != "" {
			t.Error(diff)
		}
		if cfg.DataDir != "/tmp/kraft-combined-logs" || cfg.NodeID != 1 || cfg.Static["log.retention.hours"] != "168" {
			t.Errorf("got %+v", cfg)
		}
	})

	t.Run("nothing is the default", func(t *testing.T) {
		cfg, err := broker.ParseConfig(nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(broker.DefaultConfig(), cfg); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("over the defaults of a worker's log", func(t *testing.T) {
		base := broker.EmbeddedConfig()
		cfg, err := base.Parse(map[string]string{"group.initial.rebalance.delay.ms": "7", "advertised.listeners": "PLAINTEXT://h:1"})
		if err != nil {
			t.Fatal(err)
		}
		if cfg.Groups.TopicPartitions != 8 || cfg.Groups.InitialRebalanceDelay != 7*time.Millisecond || cfg.Listeners[0].Advertised != "h:1" {
			t.Errorf("got %+v", cfg)
		}
		if diff := cmp.Diff(broker.EmbeddedConfig(), base); diff != "" {
			t.Errorf("the base was changed: %s", diff)
		}
	})

	t.Run("a file from ZooKeeper times", func(t *testing.T) {
		props := map[string]string{"broker.id": "7", "zookeeper.connect": "localhost:2181", "zookeeper.connection.timeout.ms": "18000",
			"log.message.format.version": "2.8"}
		cfg, err := broker.ParseConfig(props)
		if err != nil || cfg.NodeID != 7 {
			t.Fatal(cfg.NodeID, err)
		}
		if diff := cmp.Diff([]string{"log.message.format.version", "zookeeper.connect", "zookeeper.connection.timeout.ms"}, broker.Obsolete(props)); diff != "" {
			t.Error(diff)
		}
	})

	for name, c := range map[string]struct {
		props map[string]string
		want  []string
	}{
		"all mistakes at once": {
			map[string]string{"num.partitons": "3", "num.partitions": "0", "log.retention.ms": "soon", "auto.create.topics.enable": "maybe"},
			[]string{
				`auto.create.topics.enable: must be true or false, got "maybe"`,
				`log.retention.ms: must be a whole number of 64 bits, got "soon"`,
				`num.partitions: must be at least 1, got "0"`,
				`num.partitons: unknown key, got "3"; did you mean num.partitions?`,
			},
		},
		"topic defaults":  {map[string]string{"log.cleanup.policy": "shred"}, []string{"log.cleanup.policy: "}},
		"two directories": {map[string]string{"log.dirs": "/a,/b"}, []string{`log.dirs: must name one directory, got "/a,/b"`}},
		"a listener with TLS": {
			map[string]string{"listeners": "SSL://:9093"},
			[]string{"listeners: listener SSL has security protocol SSL; only PLAINTEXT is served"},
		},
		"a listener without a protocol": {
			map[string]string{"listeners": "INTERNAL://:9093"},
			[]string{"listeners: listener INTERNAL has no entry in listener.security.protocol.map"},
		},
		"listeners that are none": {map[string]string{"listeners": "localhost:9092"}, []string{"listeners: must be a list of NAME://host:port"}},
		"an advertised address of nobody": {
			map[string]string{"listeners": "PLAINTEXT://:9092", "advertised.listeners": "PLAINTEXT://0.0.0.0:9092"},
			[]string{"advertised.listeners: must be an address that clients can connect to, not all interfaces"},
		},
		"access control": {map[string]string{"authorizer.class.name": "x.Y"}, []string{"authorizer.class.name: there are no access control lists"}},
		"other voters":   {map[string]string{"controller.quorum.voters": "1@a:1,2@b:1"}, []string{"controller.quorum.voters: the port of node 1 must be that of one of its listeners"}},
		"two ids":        {map[string]string{"node.id": "1", "broker.id": "2"}, []string{"broker.id: must equal node.id, which is 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := broker.ParseConfig(c.props)
			if err == nil {
				t.Fatal("accepted")
			}
			lines := strings.Split(err.Error(), "\n")
			if len(lines) != len(c.want) {
				t.Fatalf("got %q", lines)
			}
			for i, want := range c.want {
				if !strings.HasPrefix(lines[i], want) {
					t.Errorf("got %q, want %q", lines[i], want)
				}
			}
		})
	}
}

// runBroker runs a broker that is expected to fail and returns why.
func runBroker(t *testing.T, change func(*broker.Config)) error {
	t.Helper()
	cfg := broker.DefaultConfig()
	cfg.Listeners[0].Address = "127.0.0.1:0"
	cfg.DataDir = t.TempDir()
	change(&cfg)
	b, err := broker.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	go func() {
		select {
		case <-b.Ready():
			cancel() // it should not have started
		case <-ctx.Done():
		}
	}()
	return b.Run(ctx)
}

func TestRefusals(t *testing.T) {
	c := brokertest.Start(t)

	t.Run("a directory that is in use", func(t *testing.T) {
		err := runBroker(t, func(cfg *broker.Config) { cfg.DataDir = c.Dir() })
		if err == nil || !strings.Contains(err.Error(), c.Dir()) {
			t.Errorf("got %v", err)
		}
		t.Log(err)
	})
	t.Run("a port that is in use", func(t *testing.T) {
		err := runBroker(t, func(cfg *broker.Config) { cfg.Listeners[0].Address = c.Addr() })
		if err == nil || !strings.Contains(err.Error(), "address already in use; stop the other program or set listeners to a free port") {
			t.Errorf("got %v", err)
		}
	})
	c.Stop()
	t.Run("a directory of another cluster", func(t *testing.T) {
		err := runBroker(t, func(cfg *broker.Config) { cfg.DataDir, cfg.ClusterID = c.Dir(), "AAAAAAAAAAAAAAAAAAAAAA" })
		if err == nil || !strings.Contains(err.Error(), "AAAAAAAAAAAAAAAAAAAAAA") {
			t.Errorf("got %v", err)
		}
		t.Log(err)
	})
	t.Run("a directory of another node", func(t *testing.T) {
		err := runBroker(t, func(cfg *broker.Config) { cfg.DataDir, cfg.NodeID = c.Dir(), 9 })
		if err == nil || !strings.Contains(err.Error(), "9") {
			t.Errorf("got %v", err)
		}
		t.Log(err)
	})
}

func TestStopIsQuickWithClients(t *testing.T) {
	c := brokertest.Start(t)
	c.CreateTopic("t", 1)
	conn := c.Dial()
	req := fetchOf("t", 0, 1000)
	req.MaxWaitMillis = 60_000
	conn.Send(req)
	began := time.Now()
	c.Stop()
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("took %v", took)
	}
	conn.WantClosed()
}

func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	c := brokertest.Start(t, func(cfg *broker.Config) { cfg.Registerer = reg })
	c.CreateTopic("t", 2)
	conn := c.Dial()
	produceTo(conn, 9, "t", testBatch(3))
	conn.Request(fetchOf("t", 0, 1000))
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]float64)
	for _, f := range families {
		for _, m := range f.Metric {
			name := f.GetName()
			for _, l := range m.Label {
				name += " " + l.GetValue()
			}
			got[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	for name, want := range map[string]float64{
		"kafka_server_records_in_total": 3, "kafka_server_requests_total Produce": 1, "kafka_server_requests_total Fetch": 1,
		"kafka_server_topics": 1, "kafka_server_partitions": 2, "kafka_server_offline_partitions": 0,
		"kafka_coordinator_groups": 0, "kafka_log_cleaner_runs_total": 0, "kafka_log_cleaner_uncleanable_partitions": 0,
	} {
		if v, ok := got[name]; !ok || v != want {
			t.Errorf("%s: got %v, want %v", name, v, want)
		}
	}
	if got["kafka_log_size_bytes"] == 0 || got["kafka_server_connections"] == 0 || got["kafka_server_bytes_out_total"] == 0 {
		t.Errorf("got %v", got)
	}
}
