package peers_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/broker/metadata"
	"millrace/broker/peers"
)

// body is what every layout of a body can do.
type body interface {
	Append([]byte) []byte
	Read([]byte) error
}

func bodies() []func() body {
	return []func() body{
		func() body { return new(peers.Hello) }, func() body { return new(peers.Join) }, func() body { return new(peers.Raft) },
		func() body { return new(peers.Forward) }, func() body { return new(peers.Forwarded) },
	}
}

func TestBodies(t *testing.T) {
	dir := metadata.DirectoryID{1, 2}
	for i, full := range []body{
		&peers.Hello{Node: 3, Directory: dir, Cluster: "c", Formed: true, Leader: -1, Address: "a:1",
			Members: []metadata.Member{{Node: 3, Directory: dir, RaftID: 4, Voter: true}, {Node: 9, RaftID: 1 << 33}}},
		&peers.Join{Node: 3, Directory: dir, Cluster: "c", Voter: true},
		&peers.Raft{From: 3, Cluster: "c", Messages: [][]byte{{1}, {2, 3}}},
		&peers.Forward{From: 3, Key: 19, Version: 7, Body: []byte{1}, Listener: "PLAINTEXT"},
		&peers.Forwarded{Index: 1 << 40, Body: []byte{9}},
	} {
		b := full.Append(nil)
		got := bodies()[i]()
		if err := got.Read(b); err != nil {
			t.Errorf("%T: %v", full, err)
		}
		if diff := cmp.Diff(full, got); diff != "" {
			t.Errorf("%T (-want +got):\n%s", full, diff)
		}
		for n := range b {
			if err := bodies()[i]().Read(b[:n]); err == nil {
				t.Errorf("%T: no error for the first %d of %d bytes", full, n, len(b))
			}
		}
	}
}

func FuzzBodies(f *testing.F) {
	for i, b := range bodies() {
		f.Add(uint8(i), b().Append(nil))
	}
	f.Fuzz(func(t *testing.T, kind uint8, b []byte) {
		first := bodies()[int(kind)%len(bodies())]()
		if first.Read(b) != nil {
			return
		}
		again := bodies()[int(kind)%len(bodies())]()
		if err := again.Read(first.Append(nil)); err != nil || !cmp.Equal(first, again) {
			t.Errorf("%+v became %+v, %v", first, again, err)
		}
	})
}

func FuzzParseRequest(f *testing.F) {
	f.Add([]byte{0x79, 0x18, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 1})
	f.Fuzz(func(_ *testing.T, frame []byte) { _, _, _ = peers.ParseRequest(frame) }) // must not panic
}
