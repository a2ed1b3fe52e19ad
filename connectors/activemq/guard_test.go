package activemq_test

import (
	"bytes"
	"strings"
	"testing"
	"testing/iotest"

	"millrace/connectors/activemq"
)

func TestGuard(t *testing.T) {
	t.Run("passes_frames", func(t *testing.T) {
		text := "\n\nMESSAGE\r\ncontent-length:5\r\ncontent-length:99999999\r\na:b\\nc\r\n\r\n\x00\n\x00\n\x01\x00\nRECEIPT\nreceipt-id:1\n\n\x00MESSAGE\n\nbody\x00"
		for _, r := range []*strings.Reader{strings.NewReader(text), strings.NewReader(text)} {
			frames, err := activemq.Frames(iotest.OneByteReader(r), 1024)
			if err != nil || len(frames) != 3 {
				t.Fatalf("%d frames, %v", len(frames), err)
			}
			if got := string(frames[0].Body); got != "\x00\n\x00\n\x01" {
				t.Errorf("body %q", got)
			}
			if got := frames[0].Header.Get("a"); got != "b\nc" {
				t.Errorf("header %q", got)
			}
			if got := string(frames[2].Body); got != "body" {
				t.Errorf("body %q", got)
			}
		}
	})
	for name, c := range map[string]struct{ text, want string }{
		"content-length beyond the limit": {"MESSAGE\ncontent-length:4000000000\n\n", "message of 4000000000 bytes; max.message.bytes allows 1024"},
		"negative content-length":         {"MESSAGE\ncontent-length:-1\n\n", "content-length that is no number"},
		"huge content-length":             {"MESSAGE\ncontent-length:99999999999999999999999999999999999999999\n\n", "no number"},
		"body without an end":             {"MESSAGE\n\n" + strings.Repeat("x", 2000), "more than max.message.bytes=1024"},
		"line without an end":             {"MESSAGE\n" + strings.Repeat("x", 70000), "header line of more than"},
		"command without an end":          {strings.Repeat("x", 70000), "header line of more than"},
		"headers without an end":          {"MESSAGE\n" + strings.Repeat("a:b\n", 5000), "more than 4096 headers"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := activemq.Frames(strings.NewReader(c.text), 1024); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %s", err, c.want)
			}
		})
	}
}

// FuzzFrames checks that no bytes of a broker make us allocate beyond the limit, and that how they arrive does not matter.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("CONNECTED\nversion:1.2\nheart-beat:0,0\n\n\x00\nMESSAGE\ncontent-length:3\n\na\x00b\x00"))
	f.Add([]byte("MESSAGE\r\na\\c:b\\\\\r\n\r\nbody\x00ERROR\nmessage:x\n\n\x00"))
	f.Add([]byte("MESSAGE\ncontent-length:\n\n\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		whole, wholeErr := activemq.Frames(bytes.NewReader(data), 1000)
		pieces, piecesErr := activemq.Frames(iotest.OneByteReader(bytes.NewReader(data)), 1000)
		for _, f := range pieces {
			if len(f.Body) > 1000 {
				t.Errorf("a body of %d bytes", len(f.Body))
			}
		}
		// An error stops the stream where it is seen: in one piece that may be before earlier frames are parsed.
		if wholeErr == nil && (piecesErr != nil || len(whole) != len(pieces)) {
			t.Errorf("%d frames, %v; byte by byte %d frames, %v", len(whole), wholeErr, len(pieces), piecesErr)
		}
	})
}
