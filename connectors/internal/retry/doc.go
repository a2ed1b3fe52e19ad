// Package retry spaces attempts to reach a foreign system.
package retry
