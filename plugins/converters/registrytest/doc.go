// Package registrytest is a schema registry for tests: it keeps schemas in memory, answers the requests that converters make,
// and can ask for credentials, fail on purpose and count what it was asked.
package registrytest
