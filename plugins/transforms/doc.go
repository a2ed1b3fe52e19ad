// Package transforms has the single-message transforms and predicates that Apache Kafka Connect ships, under their class
// names. Plugins lists them for a registry.
//
// A transform keeps what it learns of a schema (which fields change, what the new schema is) and does not look at that schema
// again: see plan.go. Values are copied on write; a record that a transform does not change shares them with the old one.
//
// One file per transform; side.go has what those with a $Key and a $Value form share, predicates.go the predicates.
package transforms
