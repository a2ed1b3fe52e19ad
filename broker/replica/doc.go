// Package replica keeps the partitions of this node as the metadata says: it opens, configures, leads, copies and deletes
// them when topics change. It subscribes to the controller, so a topic's partitions are ready before its creation is answered.
//
// Read [Replicas] first. What a leader or follower decides is in package partition; here is what moves the bytes and
// the news:
//
//	replicas.go  metadata -> who leads, who follows, what goes
//	fetcher.go   copies partitions from one leader, in a fetch session
//	isr.go       brings the ISR changes of leaders to the controller
//	settings.go  topic configs -> partition settings
//	keys.go      broker keys -> how followers fetch
//	metrics.go   what is counted
//
// sim_test.go runs three replicas and the controller's decisions in one goroutine on virtual time; cluster_test.go has
// real listeners and clients. DESIGN.md has the data flow and the invariants.
//
// Limits: replication is not throttled.
package replica
