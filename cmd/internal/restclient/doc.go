// Package restclient calls the REST API of a Connect worker, Millrace or Kafka Connect. Start with Client.
//
// Answers are passed on as JSON, so what the server says is what users see; only what commands decide on has a type.
package restclient
