// Package activemqtest runs a real ActiveMQ Classic, as Debian's package activemq installs it, for tests and measurements.
package activemqtest
