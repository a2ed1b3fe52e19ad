// Package brokerkeys is the table of Apache Kafka's broker configuration keys: name, type, default, rule. The root package
// reads properties files with it, and DescribeConfigs answers from it.
//
// Keys that this broker acts on have a comment for users (Doc); all others are accepted, because files written for
// Apache Kafka have them, and do nothing.
package brokerkeys
