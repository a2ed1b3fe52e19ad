package validation

import (
	"strings"
	"sync"

	"millrace/connectors"
)

// The settings of Apache Kafka's clients, with their types, importances and defaults: one a line, name type importance
// default; - is a null, none is no default. They say whether an override parses; which of them our client obeys is its matter.

const commonClientTable = `
bootstrap.servers LIST HIGH =
client.dns.lookup STRING MEDIUM use_all_dns_ips
client.id STRING %s =
client.rack STRING LOW =
connections.max.idle.ms LONG MEDIUM 540000
metadata.max.age.ms LONG LOW 300000
metadata.recovery.strategy STRING LOW rebootstrap
metadata.recovery.rebootstrap.trigger.ms LONG LOW 300000
metric.reporters LIST LOW =
metrics.num.samples INT LOW 2
metrics.recording.level STRING LOW INFO
metrics.sample.window.ms LONG LOW 30000
receive.buffer.bytes INT MEDIUM 65536
reconnect.backoff.max.ms LONG LOW 1000
reconnect.backoff.ms LONG LOW 50
request.timeout.ms INT MEDIUM 30000
retry.backoff.max.ms LONG LOW 1000
retry.backoff.ms LONG LOW 100
send.buffer.bytes INT MEDIUM 131072
socket.connection.setup.timeout.max.ms LONG MEDIUM 30000
socket.connection.setup.timeout.ms LONG MEDIUM 10000
security.protocol STRING MEDIUM PLAINTEXT
sasl.mechanism STRING MEDIUM GSSAPI
sasl.jaas.config PASSWORD MEDIUM -
sasl.client.callback.handler.class STRING MEDIUM -
sasl.login.callback.handler.class STRING MEDIUM -
sasl.login.class STRING MEDIUM -
sasl.kerberos.service.name STRING MEDIUM -
sasl.login.connect.timeout.ms INT LOW -
sasl.login.read.timeout.ms INT LOW -
sasl.login.retry.backoff.max.ms LONG LOW 10000
sasl.login.retry.backoff.ms LONG LOW 100
sasl.oauthbearer.token.endpoint.url STRING MEDIUM -
sasl.oauthbearer.jwks.endpoint.url STRING MEDIUM -
sasl.oauthbearer.scope.claim.name STRING LOW scope
sasl.oauthbearer.sub.claim.name STRING LOW sub
sasl.oauthbearer.expected.audience LIST LOW -
sasl.oauthbearer.expected.issuer STRING LOW -
ssl.cipher.suites LIST LOW -
ssl.enabled.protocols LIST MEDIUM TLSv1.2,TLSv1.3
ssl.endpoint.identification.algorithm STRING LOW https
ssl.key.password PASSWORD HIGH -
ssl.keymanager.algorithm STRING LOW SunX509
ssl.keystore.certificate.chain PASSWORD HIGH -
ssl.keystore.key PASSWORD HIGH -
ssl.keystore.location STRING HIGH -
ssl.keystore.password PASSWORD HIGH -
ssl.keystore.type STRING MEDIUM JKS
ssl.protocol STRING MEDIUM TLSv1.3
ssl.provider STRING MEDIUM -
ssl.secure.random.implementation STRING LOW -
ssl.trustmanager.algorithm STRING LOW PKIX
ssl.truststore.certificates PASSWORD HIGH -
ssl.truststore.location STRING HIGH -
ssl.truststore.password PASSWORD HIGH -
ssl.truststore.type STRING MEDIUM JKS
`

const producerTable = `
acks STRING LOW all
batch.size INT MEDIUM 16384
buffer.memory LONG HIGH 33554432
compression.gzip.level INT MEDIUM -1
compression.lz4.level INT MEDIUM 9
compression.type STRING HIGH none
compression.zstd.level INT MEDIUM 3
delivery.timeout.ms INT MEDIUM 120000
enable.idempotence BOOLEAN LOW true
enable.metrics.push BOOLEAN LOW true
interceptor.classes LIST LOW =
key.serializer STRING HIGH none
linger.ms LONG MEDIUM 5
max.block.ms LONG MEDIUM 60000
max.in.flight.requests.per.connection INT LOW 5
max.request.size INT MEDIUM 1048576
metadata.max.idle.ms LONG LOW 300000
partitioner.adaptive.partitioning.enable BOOLEAN LOW true
partitioner.availability.timeout.ms LONG LOW 0
partitioner.class STRING MEDIUM -
partitioner.ignore.keys BOOLEAN MEDIUM false
retries INT HIGH 2147483647
transaction.timeout.ms INT LOW 60000
transaction.two.phase.commit.enable BOOLEAN LOW false
transactional.id STRING LOW -
value.serializer STRING HIGH none
`

const consumerTable = `
allow.auto.create.topics BOOLEAN MEDIUM true
auto.commit.interval.ms INT LOW 5000
auto.offset.reset STRING MEDIUM latest
check.crcs BOOLEAN LOW true
default.api.timeout.ms INT MEDIUM 60000
enable.auto.commit BOOLEAN MEDIUM true
enable.metrics.push BOOLEAN LOW true
exclude.internal.topics BOOLEAN MEDIUM true
fetch.max.bytes INT MEDIUM 52428800
fetch.max.wait.ms INT LOW 500
fetch.min.bytes INT HIGH 1
group.id STRING HIGH -
group.instance.id STRING MEDIUM -
group.protocol STRING HIGH classic
group.remote.assignor STRING MEDIUM -
heartbeat.interval.ms INT HIGH 3000
interceptor.classes LIST LOW =
isolation.level STRING MEDIUM read_uncommitted
key.deserializer STRING HIGH none
max.partition.fetch.bytes INT HIGH 1048576
max.poll.interval.ms INT MEDIUM 300000
max.poll.records INT MEDIUM 500
partition.assignment.strategy LIST MEDIUM org.apache.kafka.clients.consumer.RangeAssignor,org.apache.kafka.clients.consumer.CooperativeStickyAssignor
session.timeout.ms INT HIGH 45000
share.acknowledgement.mode STRING MEDIUM implicit
value.deserializer STRING HIGH none
`

const adminTable = `
bootstrap.controllers LIST HIGH =
default.api.timeout.ms INT MEDIUM 60000
enable.metrics.push BOOLEAN LOW true
retries INT LOW 2147483647
`

var (
	producerKeys = sync.OnceValue(func() *connectors.ConfigDef { return clientDef("producer", "MEDIUM", producerTable) })
	consumerKeys = sync.OnceValue(func() *connectors.ConfigDef { return clientDef("consumer", "LOW", consumerTable) })
	adminKeys    = sync.OnceValue(func() *connectors.ConfigDef { return clientDef("admin client", "MEDIUM", adminTable) })
)

func clientDef(client, idImportance, table string) *connectors.ConfigDef {
	var keys []connectors.ConfigKey
	for line := range strings.Lines(table + strings.Replace(commonClientTable, "%s", idImportance, 1)) {
		f := strings.Fields(line)
		if len(f) != 4 {
			continue
		}
		k := connectors.ConfigKey{
			Name: f[0], Type: connectors.ConfigType(f[1]), Importance: connectors.Importance(f[2]),
			Doc: "Setting " + f[0] + " of Apache Kafka's " + client + ".",
		}
		switch f[3] {
		case "-":
		case "none":
			k.Required = true
		case "=":
			k.Default = ""
		default:
			k.Default = f[3]
		}
		keys = append(keys, k)
	}
	return connectors.NewConfigDef(keys...)
}
