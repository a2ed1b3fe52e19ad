// Package tlsconfig is the block of tls.* keys that connectors to network brokers share.
package tlsconfig
