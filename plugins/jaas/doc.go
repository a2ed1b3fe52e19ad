// Package jaas reads Java's login configurations as Kafka uses them: the text of a sasl.jaas.config, and files with named sections.
// It only reads. Which login modules exist and what their options mean is the caller's business; nothing is ever loaded by name.
package jaas
