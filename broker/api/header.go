package api

import (
	"encoding/binary"
	"errors"
)

// Header is a request's header, versions 1 and 2.
type Header struct {
	Key, Version  int16
	CorrelationID int32
	ClientID      string
}

// errShortHeader comes back for a frame that ends inside its header.
var errShortHeader = errors.New("frame ends inside the request header")

// flexibleHeader reports whether requests of this key and version carry tagged fields in their header.
type flexibleHeader func(key, version int16) bool

// parseHeader reads the header of a frame and returns the body behind it. last is the client id of the connection's request
// before; it is reused when equal, so that a connection allocates its client id once. A client id length below zero is
// null; the client id is never compact, not even in flexible versions (KIP-482).
func parseHeader(frame []byte, last string, flexible flexibleHeader) (h Header, body []byte, err error) {
	if len(frame) < 8 {
		return h, nil, errShortHeader
	}
	h.Key = int16(binary.BigEndian.Uint16(frame))
	h.Version = int16(binary.BigEndian.Uint16(frame[2:]))
	h.CorrelationID = int32(binary.BigEndian.Uint32(frame[4:]))
	body = frame[8:]
	if len(body) < 2 {
		return h, nil, errShortHeader
	}
	n := int(int16(binary.BigEndian.Uint16(body)))
	body = body[2:]
	if n > len(body) {
		return h, nil, errShortHeader
	}
	if n > 0 {
		if h.ClientID = last; string(body[:n]) != last {
			h.ClientID = string(body[:n])
		}
		body = body[n:]
	}
	if flexible(h.Key, h.Version) {
		body, err = skipTags(body)
	}
	return h, body, err
}

// skipTags steps over a block of tagged fields.
func skipTags(b []byte) ([]byte, error) {
	count, n := binary.Uvarint(b)
	if n <= 0 {
		return nil, errShortHeader
	}
	b = b[n:]
	for ; count > 0; count-- {
		if _, n = binary.Uvarint(b); n <= 0 {
			return nil, errShortHeader
		}
		b = b[n:]
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return nil, errShortHeader
		}
		b = b[n+int(size):]
	}
	return b, nil
}
