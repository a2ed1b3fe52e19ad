// Package payload turns the plain values of records into the bytes of a foreign message.
package payload
