// Package clients makes the franz-go clients of a worker with Kafka Connect's settings: the producer that source tasks share,
// consumers of sink tasks, admin clients, and those of the worker itself. producer.*, consumer.*, admin.* and their overrides are
// mapped onto franz-go; a setting that nobody reads is reported as one without meaning here.
//
//	settings.go                             reading settings, all mistakes at once
//	clients.go, producer.go, consumer.go    the mapping
//	security.go, jaas.go, oauth.go          security.protocol, sasl.*
//	dialer.go                               connections; plugins/sslconfig reads ssl.*
//
// Limits: no Kerberos, no classes of one's own (login modules, callback handlers, partitioners, interceptors), group.protocol
// classic only. buffer.memory is ignored: each task has a budget of its own. A token endpoint may be named by a connector only if the
// worker's own configuration names the same.
package clients
