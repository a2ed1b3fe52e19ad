// Package mosquittotest runs a real Mosquitto, as Debian's package mosquitto installs it, for tests and measurements.
package mosquittotest
