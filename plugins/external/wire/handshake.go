package wire

import "github.com/hashicorp/go-plugin"

// Version is the protocol version that this program speaks, as host and as plugin.
const Version = 1

// Name is the name of the only plugin that a program serves, in go-plugin's sense.
const Name = "millrace"

// MaxMessage bounds a gRPC message, in bytes. Encoders stay below it by PieceBytes; a single record may take all of it.
const MaxMessage = 128 << 20

// A piece of a batch ends after the record that passes either of these.
const (
	PieceRecords = 4096
	PieceBytes   = 1 << 20
)

// Handshake tells a plugin program started by a worker from one started by hand.
var Handshake = plugin.HandshakeConfig{
	ProtocolVersion:  Version,
	MagicCookieKey:   "MILLRACE_PLUGIN",
	MagicCookieValue: "bd2a4d1e-5f1c-4dd3-8a8e-6c1f0a8f6f5b",
}
