package api

import (
	"bytes"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func fromV2(_, version int16) bool { return version >= 2 }

func TestParseHeader(t *testing.T) {
	for _, c := range []struct {
		name    string
		frame   string
		want    Header
		body    string
		isShort bool
	}{
		{name: "version 1", frame: "\x00\x03\x00\x01\x00\x00\x00\x07\x00\x02mebody", want: Header{3, 1, 7, "me"}, body: "body"},
		{name: "null client id", frame: "\x00\x03\x00\x01\x00\x00\x00\x07\xff\xffbody", want: Header{3, 1, 7, ""}, body: "body"},
		{name: "client id length -2 is null", frame: "\x00\x03\x00\x01\x00\x00\x00\x07\xff\xfebody", want: Header{3, 1, 7, ""}, body: "body"},
		{name: "negative correlation id", frame: "\x00\x03\x00\x01\xff\xff\xff\xff\xff\xff", want: Header{3, 1, -1, ""}},
		{name: "no tags", frame: "\x00\x03\x00\x02\x00\x00\x00\x07\x00\x00\x00body", want: Header{3, 2, 7, ""}, body: "body"},
		{name: "unknown tags", frame: "\x00\x03\x00\x02\x00\x00\x00\x07\x00\x00\x02\x05\x01x\x09\x00body", want: Header{3, 2, 7, ""}, body: "body"},
		{name: "empty", frame: "", isShort: true},
		{name: "one byte", frame: "\x00", isShort: true},
		{name: "cut in the correlation id", frame: "\x00\x03\x00\x01\x00\x00", isShort: true},
		{name: "cut before the client id", frame: "\x00\x03\x00\x01\x00\x00\x00\x07\x00", isShort: true},
		{name: "client id longer than the frame", frame: "\x00\x03\x00\x01\x00\x00\x00\x07\x00\x09me", isShort: true},
		{name: "tag longer than the frame", frame: "\x00\x03\x00\x02\x00\x00\x00\x07\x00\x00\x01\x05\x7fx", isShort: true},
		{name: "tag count without tags", frame: "\x00\x03\x00\x02\x00\x00\x00\x07\x00\x00\x7f", isShort: true},
		{name: "tags missing", frame: "\x00\x03\x00\x02\x00\x00\x00\x07\x00\x00", isShort: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, body, err := parseHeader([]byte(c.frame), "", fromV2)
			if (err != nil) != c.isShort {
				t.Fatal(err)
			}
			if err == nil && (h != c.want || string(body) != c.body) {
				t.Errorf("got %+v and body %q", h, body)
			}
		})
	}
}

func TestClientIDIsKept(t *testing.T) {
	frame := []byte("\x00\x03\x00\x01\x00\x00\x00\x07\x00\x0fa-long-clientid")
	last := strings.Repeat("a-long-clientid", 1)
	if n := testing.AllocsPerRun(100, func() {
		if _, _, err := parseHeader(frame, last, fromV2); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations for a client id that is known", n)
	}
}

// FuzzRequest: whatever a frame holds, decoding it neither panics nor takes memory out of proportion, and what decodes
// encodes to something that decodes to the same bytes.
func FuzzRequest(f *testing.F) {
	table := newTable(rows)
	flexible := func(key, version int16) bool {
		return key >= 0 && key < maxKey && table[key] != nil && table[key].flexible >= 0 && version >= table[key].flexible
	}
	formatter := kmsg.NewRequestFormatter(kmsg.FormatterClientID("fuzz"))
	for _, e := range table {
		for v := int16(0); e != nil && v <= e.max; v++ {
			req := e.key.Request()
			req.SetVersion(v)
			f.Add(formatter.AppendRequest(nil, req, 1)[4:])
		}
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		h, body, err := parseHeader(frame, "", flexible)
		if err != nil || h.Key < 0 || h.Key >= maxKey || table[h.Key] == nil || h.Version < table[h.Key].serves || h.Version > table[h.Key].max {
			return
		}
		req := kmsg.RequestForKey(h.Key)
		req.SetVersion(h.Version)
		if req.ReadFrom(body) != nil {
			return
		}
		once := req.AppendTo(nil)
		again := kmsg.RequestForKey(h.Key)
		again.SetVersion(h.Version)
		if err := again.ReadFrom(once); err != nil {
			t.Fatalf("%s v%d: decodes, but its encoding does not: %v", keyName(h.Key), h.Version, err)
		}
		if twice := again.AppendTo(nil); !bytes.Equal(once, twice) {
			t.Fatalf("%s v%d: encodes to %x, then to %x", keyName(h.Key), h.Version, once, twice)
		}
	})
}
