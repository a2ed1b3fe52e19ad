// Package replica keeps the partitions of this node as the metadata says: it opens, configures, leads and deletes them
// when topics change. It subscribes to the controller, so a topic's partitions are ready before its creation is answered.
//
// Limits: every partition has one replica, which leads.
package replica
