package connectors

// KafkaVersion is the version of Kafka Connect whose behaviour the built-in converters, transforms and predicates have: their
// own version.
const KafkaVersion = "4.3.1"
