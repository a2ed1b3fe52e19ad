package replica_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/broker/brokertest"
	"millrace/broker/metadata"
)

// kafkaJars is where .ci/install-peers puts Apache Kafka.
const kafkaJars = "../../.cache/kafka"

// tool runs one of Apache Kafka's tools and returns what it printed.
func (c *cluster) tool(class string, args ...string) string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 50*time.Second)
	defer cancel()
	jars, err := filepath.Abs(kafkaJars)
	if err != nil {
		c.t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, "java", append([]string{"-XX:TieredStopAtLevel=1", "-cp", jars + "/*", class}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.t.Fatalf("%s %s: %v\n%s", class, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (c *cluster) wantOutput(out, pattern string) {
	c.t.Helper()
	if !regexp.MustCompile(pattern).MatchString(out) {
		c.t.Errorf("no %q in\n%s", pattern, out)
	}
}

// TestKafkaTools runs Apache Kafka's own administration tools, and its log dump over what the replicas left.
func TestKafkaTools(t *testing.T) {
	if found, err := filepath.Glob(kafkaJars + "/kafka-tools-*.jar"); err != nil || len(found) == 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("Apache Kafka is not in .cache/kafka: run .ci/install-peers")
		}
		t.Skip("Apache Kafka is not in .cache/kafka: run .ci/install-peers")
	}
	c := startCluster(t, 3, nil)
	c.create("t", []metadata.BrokerID{1, 2, 3}, "segment.bytes", "1048576")
	client := c.client(kgo.ProducerBatchCompression(kgo.NoCompression()))
	value := make([]byte, 10_000)
	for range 300 {
		client.Produce(t.Context(), &kgo.Record{Topic: "t", Value: value}, func(_ *kgo.Record, err error) {
			if err != nil {
				t.Error(err)
			}
		})
	}
	if err := client.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	at := "--bootstrap-server=" + strings.Join(c.seeds(), ",")
	out := c.tool("org.apache.kafka.tools.TopicCommand", at, "--describe", "--topic", "t")
	c.wantOutput(out, `Leader: 1\s+Replicas: 1,2,3\s+Isr: 1,2,3`)

	plan := filepath.Join(t.TempDir(), "plan.json")
	if err := os.WriteFile(plan, []byte(`{"version":1,"partitions":[{"topic":"t","partition":0,"replicas":[3,2]}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	reassign := "org.apache.kafka.tools.reassign.ReassignPartitionsCommand"
	out = c.tool(reassign, at, "--execute", "--reassignment-json-file", plan)
	c.wantOutput(out, `Successfully started partition reassignment for t-0`)
	brokertest.Await(t, "the move", func() bool { p := c.partition("t"); return len(p.Replicas) == 2 && len(p.Removing) == 0 })
	out = c.tool(reassign, at, "--verify", "--preserve-throttles", "--reassignment-json-file", plan)
	c.wantOutput(out, `Reassignment of partition t-0 is completed`)
	out = c.tool(reassign, at, "--list")
	c.wantOutput(out, `No partition reassignments found`)

	c.node(3).stop(true)
	c.node(3).start(nil)
	c.awaitISR("t", 2)
	if leader := c.partition("t").Leader; leader != 2 {
		t.Errorf("leader %d", leader)
	}
	out = c.tool("org.apache.kafka.tools.LeaderElectionCommand", at, "--election-type", "preferred", "--topic", "t", "--partition", "0")
	c.wantOutput(out, `Successfully completed leader election \(PREFERRED\) for partitions t-0`)
	if leader := c.partition("t").Leader; leader != 3 {
		t.Errorf("leader %d after the election", leader)
	}

	c.same("t")
	for _, n := range c.nodes {
		n.stop(false)
	}
	var logs []string
	for _, n := range c.nodes {
		found, err := filepath.Glob(filepath.Join(n.dir, "t-0", "*.log"))
		if err != nil {
			t.Fatal(err)
		}
		logs = append(logs, found...)
	}
	if len(logs) < 4 {
		t.Errorf("only %d segments", len(logs))
	}
	out = c.tool("org.apache.kafka.tools.DumpLogSegments", "--deep-iteration", "--files", strings.Join(logs, ","))
	for _, bad := range []string{"isvalid: false", "Exception", "ismagic", "non-consecutive"} {
		if strings.Contains(out, bad) {
			t.Errorf("DumpLogSegments says %q:\n%.2000s", bad, out)
		}
	}
}
