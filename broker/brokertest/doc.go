// Package brokertest gives tests a running broker in one line:
//
//	c := brokertest.Start(t)
//	client := c.Client(kgo.DefaultProduceTopic("orders"))
//
// The broker keeps its data in a temporary directory and listens at a free port of the loopback interface. Clients made by
// Client reach it in memory. Everything ends with the test; a broker that fails meanwhile fails the test.
//
// Limits: one broker, real time, the real file system.
package brokertest
