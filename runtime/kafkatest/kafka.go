package kafkatest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// The users of the listener with SASL.
const (
	PlainUser, PlainPassword = "alice", "alice secret"
	ScramUser, ScramPassword = "bob", "bob secret"
)

// A Kafka is a running broker.
type Kafka struct {
	// SecureAddr is the listener that wants SASL_SSL.
	SecureAddr string
	// Identity is the broker's certificate, for 127.0.0.1.
	Identity *Identity

	t          testing.TB
	addr       string
	dir        string
	production bool
	proc       *process
}

// An Option changes how the processes are started.
type Option func(*Kafka)

// Production gives the JVMs what Apache Kafka's own start scripts give them, for measurements. Without it they start sooner and stay
// smaller and slower.
func Production() Option { return func(k *Kafka) { k.production = true } }

// jvm are the flags of a process with the heap that its start script gives it.
func (k *Kafka) jvm(heap ...string) []string {
	if !k.production {
		return nil
	}
	return append(heap, "-XX:TieredStopAtLevel=4", "-XX:-UseSerialGC", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
		"-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent")
}

// Start starts a broker that ends with the test.
func Start(t testing.TB, options ...Option) *Kafka {
	t.Helper()
	jars(t) // skips before anything is made
	addrs := freePorts(t, 3)
	k := &Kafka{addr: addrs[0], SecureAddr: addrs[1], Identity: NewIdentity(t, "127.0.0.1"), t: t, dir: t.TempDir()}
	for _, option := range options {
		option(k)
	}
	const scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
	plain := fmt.Sprintf(`org.apache.kafka.common.security.plain.PlainLoginModule required user_%s="%s";`, PlainUser, PlainPassword)
	const oauth = `org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";`
	file := k.write("server.properties", map[string]string{
		"process.roles": "broker,controller", "node.id": "1", "controller.quorum.voters": "1@" + addrs[2],
		"listeners":                      "PLAINTEXT://" + addrs[0] + ",SASL_SSL://" + addrs[1] + ",CONTROLLER://" + addrs[2],
		"listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT",
		"controller.listener.names":      "CONTROLLER", "inter.broker.listener.name": "PLAINTEXT",
		"log.dirs": filepath.Join(k.dir, "data"), "num.partitions": "1", "group.initial.rebalance.delay.ms": "0",
		"offsets.topic.replication.factor": "1", "offsets.topic.num.partitions": "4", "share.coordinator.state.topic.replication.factor": "1",
		"transaction.state.log.replication.factor": "1", "transaction.state.log.min.isr": "1",
		"log.cleaner.dedupe.buffer.size": "4194304", "num.network.threads": "1", "num.io.threads": "2",
		"ssl.keystore.location": k.Identity.KeyPKCS12, "ssl.keystore.password": Password, "ssl.keystore.type": "PKCS12",
		"sasl.enabled.mechanisms":                                               "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
		"listener.name.sasl_ssl.plain.sasl.jaas.config":                         plain,
		"listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config":                 scram,
		"listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config":                 scram,
		"listener.name.sasl_ssl.oauthbearer.sasl.jaas.config":                   oauth,
		"listener.name.sasl_ssl.oauthbearer.sasl.server.callback.handler.class": "org.apache.kafka.common.security.oauthbearer.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler",
	})
	run(t, java(t, k.dir, nil, "kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c", file,
		"--add-scram", "SCRAM-SHA-256=[name="+ScramUser+",password="+ScramPassword+"]",
		"--add-scram", "SCRAM-SHA-512=[name="+ScramUser+",password="+ScramPassword+"]"))
	k.proc = start(t, java(t, k.dir, k.jvm("-Xms1G", "-Xmx1G"), "kafka.Kafka", file))
	client := k.Client()
	defer client.Close()
	admin := kadm.NewClient(client)
	k.proc.await(t, "Apache Kafka", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		brokers, err := admin.ListBrokers(ctx)
		return err == nil && len(brokers) > 0
	})
	return k
}

// Addr is the listener for everybody.
func (k *Kafka) Addr() string { return k.addr }

// CreateTopic makes a topic; configs are pairs of key and value.
func (k *Kafka) CreateTopic(name string, partitions int32, configs ...string) {
	k.t.Helper()
	client := k.Client()
	defer client.Close()
	values := make(map[string]*string)
	for i := 0; i+1 < len(configs); i += 2 {
		values[configs[i]] = &configs[i+1]
	}
	if _, err := kadm.NewClient(client).CreateTopic(k.t.Context(), partitions, 1, values, name); err != nil {
		k.t.Fatalf("create topic %s: %v", name, err)
	}
}

// Reset deletes all topics and groups.
func (k *Kafka) Reset() {
	k.t.Helper()
	client := k.Client(kgo.MetadataMinAge(10 * time.Millisecond))
	defer client.Close()
	admin := kadm.NewClient(client)
	ctx, cancel := context.WithTimeout(k.t.Context(), patience)
	defer cancel()
	groups, err := admin.ListGroups(ctx)
	check(k.t, err)
	if len(groups) > 0 {
		_, err = admin.DeleteGroups(ctx, groups.Groups()...)
		check(k.t, err)
	}
	k.proc.await(k.t, "deleting topics", func() bool {
		topics, err := admin.ListTopics(ctx) // without internal ones
		check(k.t, err)
		if len(topics) > 0 {
			_, err = admin.DeleteTopics(ctx, topics.Names()...)
			check(k.t, err)
		}
		return len(topics) == 0
	})
}

// Client makes a client of the listener for everybody.
func (k *Kafka) Client(opts ...kgo.Opt) *kgo.Client {
	k.t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(k.addr)}, opts...)...)
	if err != nil {
		k.t.Fatal(err)
	}
	return client
}

// Log returns what the broker has said.
func (k *Kafka) Log() string { return k.proc.out.String() }

func (k *Kafka) write(name string, props map[string]string) string {
	return write(k.t, filepath.Join(k.dir, name), props)
}

func write(t testing.TB, path string, props map[string]string) string {
	t.Helper()
	var b strings.Builder
	for key, value := range props {
		fmt.Fprintf(&b, "%s=%s\n", key, value)
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// terminate is how a process is asked to end.
const terminate = syscall.SIGTERM
