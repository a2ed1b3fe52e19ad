// Package offsetstest is the contract that every offsets.Store must pass.
package offsetstest
