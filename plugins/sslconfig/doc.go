// Package sslconfig turns Kafka's ssl.* settings into configurations of crypto/tls: Client for what connects, Server for what listens.
// Key and trust stores are PEM (in a file or in place), PKCS12 or JKS, told apart as Java does.
//
// Start with sslconfig.go; reader.go reads settings, stores.go the stores, pkcs8.go encrypted keys.
//
// Limits: TLS 1.2 and 1.3, Go's safe cipher suites, PEM keys encrypted with AES only. Settings that choose Java classes
// (ssl.provider, ssl.engine.factory.class and the like) are accepted and mean nothing.
package sslconfig
