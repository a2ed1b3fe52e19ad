// Package brokertest gives tests a running broker in one line:
//
//	c := brokertest.Start(t)
//	client := c.Client(kgo.DefaultProduceTopic("orders"))
//
// The broker keeps its data in a temporary directory and listens at a free port of the loopback interface. Clients made by
// Client reach it in memory. Everything ends with the test; a broker that fails meanwhile fails the test.
//
// StartCluster runs several brokers as one cluster, and can kill them and cut them off from each other; a kill leaves the logs closed.
//
// Limits: real time, the real file system.
package brokertest
