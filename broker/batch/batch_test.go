package batch_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/broker/batch"
)

type record struct {
	Offset, Timestamp int64
	Key, Value        string
	NilKey, NilValue  bool
	Headers           []string
}

func records(tb testing.TB, b batch.Batch) []record {
	tb.Helper()
	var all []record
	err := b.Each(0, func(r *batch.Record) error {
		x := record{r.Offset, r.Timestamp, string(r.Key), string(r.Value), r.Key == nil, r.Value == nil, nil}
		for name, value := range r.Headers.All() {
			x.Headers = append(x.Headers, fmt.Sprintf("%s=%s %v", name, value, value == nil))
		}
		all = append(all, x)
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return all
}

func sample(tb testing.TB, c batch.Codec) batch.Batch {
	tb.Helper()
	m := batch.NoProducer()
	m.BaseOffset, m.LeaderEpoch, m.Codec = 100, 3, c
	m.ProducerID, m.ProducerEpoch, m.BaseSequence = 5, 1, 1<<31-2
	var w batch.Builder
	w.Reset(m)
	w.Add(1000, []byte("key"), []byte(strings.Repeat("value ", 20000)))
	w.Add(900, nil, nil)
	w.Add(1100, []byte{}, []byte{}, batch.HeaderPair{Name: "h", Value: []byte("x")}, batch.HeaderPair{Name: "", Value: nil})
	_, b, err := w.Build(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestRoundTrip(t *testing.T) {
	want := []record{
		{100, 1000, "key", strings.Repeat("value ", 20000), false, false, nil},
		{101, 900, "", "", true, true, nil},
		{102, 1100, "", "", false, false, []string{"h=x false", "= true"}},
	}
	for c := batch.CodecNone; c <= batch.CodecZstd; c++ {
		t.Run(c.String(), func(t *testing.T) {
			made := sample(t, c)
			b, rest, err := batch.Parse(append(made[:len(made):len(made)], "rest"...))
			if err != nil || string(rest) != "rest" {
				t.Fatalf("%q left, %v", rest, err)
			}
			if diff := cmp.Diff(want, records(t, b)); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
			if b.Codec() != c || b.LastOffset() != 102 || b.MaxTimestamp() != 1100 || b.LastSequence() != 0 || b.Count() != 3 {
				t.Errorf("header: %v %d %d %d %d", b.Codec(), b.LastOffset(), b.MaxTimestamp(), b.LastSequence(), b.Count())
			}
			var w batch.Builder
			other, err := w.Recompress(b, batch.CodecLZ4)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, records(t, other)); diff != "" {
				t.Errorf("recompressed (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFilter(t *testing.T) {
	for c := batch.CodecNone; c <= batch.CodecZstd; c++ {
		b := sample(t, c)
		var w batch.Builder
		_, got, err := w.Filter(nil, b, 5000, func(r *batch.Record) bool { return r.Offset == 101 })
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]record{{101, 900, "", "", true, true, nil}}, records(t, got)); diff != "" {
			t.Errorf("%v: records (-want +got):\n%s", c, diff)
		}
		if ms, ok := got.DeleteHorizon(); !ok || ms != 5000 || got.LastOffset() != 102 || got.BaseOffset() != 100 {
			t.Errorf("%v: horizon %d, offsets %d to %d", c, ms, got.BaseOffset(), got.LastOffset())
		}
		_, empty, err := w.Filter(nil, b, -1, func(*batch.Record) bool { return false })
		if err != nil || len(empty) != batch.HeaderSize || empty.LastSequence() != b.LastSequence() || empty.Codec() != batch.CodecNone {
			t.Errorf("%v: emptied batch of %d bytes, %v", c, len(empty), err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	good := sample(t, batch.CodecNone)
	for _, tc := range []struct {
		name string
		edit func(b []byte) []byte
		want error
	}{
		{"nothing", func([]byte) []byte { return nil }, batch.ErrShort},
		{"less than a prefix", func(b []byte) []byte { return b[:11] }, batch.ErrShort},
		{"less than a header", func(b []byte) []byte { return b[:60] }, batch.ErrShort},
		{"less than the batch", func(b []byte) []byte { return b[:len(b)-1] }, batch.ErrShort},
		{"negative length", func(b []byte) []byte { b[8] = 0xff; return b }, batch.ErrLength},
		{"zeros", func(b []byte) []byte { return make([]byte, 100) }, batch.ErrLength},
		{"magic", func(b []byte) []byte { b[16] = 1; return b }, batch.ErrMagic},
		{"a flipped bit", func(b []byte) []byte { b[70] ^= 4; return b }, batch.ErrCRC},
	} {
		if _, _, err := batch.Parse(tc.edit(bytes.Clone(good))); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
	}
}

// TestBombs checks that a small batch cannot become large.
func TestBombs(t *testing.T) {
	for c := batch.CodecNone; c <= batch.CodecZstd; c++ {
		m := batch.NoProducer()
		m.Codec = c
		var w batch.Builder
		w.Reset(m)
		w.Add(0, nil, make([]byte, 1<<20))
		_, b, err := w.Build(nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Each(1<<19, func(*batch.Record) error { return nil }); !errors.Is(err, batch.ErrTooLarge) {
			t.Errorf("%v: %v, want %v", c, err, batch.ErrTooLarge)
		}
	}
}

func TestMarkers(t *testing.T) {
	want := batch.Marker{Commit: true, CoordinatorEpoch: 12}
	b, err := batch.NewMarker(1000, 7, 2, want)
	if err != nil {
		t.Fatal(err)
	}
	got, ok, err := b.Marker()
	if err != nil || !ok || got != want || !b.Control() || !b.Transactional() || len(b) != 78 {
		t.Errorf("marker %+v %v of %d bytes, %v", got, ok, len(b), err)
	}
	if _, ok, err := sample(t, batch.CodecNone).Marker(); ok || err != nil {
		t.Errorf("a marker in plain records, %v", err)
	}
}

func FuzzBatch(f *testing.F) {
	for c := batch.CodecNone; c <= batch.CodecZstd; c++ {
		var w batch.Builder
		m := batch.NoProducer()
		m.Codec = c
		w.Reset(m)
		w.Add(1, []byte("k"), []byte("v"), batch.HeaderPair{Name: "h"})
		_, b, err := w.Build(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add([]byte(b))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		b, rest, err := batch.Frame(data)
		if err != nil {
			return
		}
		if len(b)+len(rest) != len(data) {
			t.Fatalf("%d bytes and %d of %d", len(b), len(rest), len(data))
		}
		if _, _, err := b.Marker(); err != nil && !errors.Is(err, batch.ErrRecords) && !errors.Is(err, batch.ErrTooLarge) {
			t.Fatal(err)
		}
		n := int32(0)
		err = b.Each(1<<20, func(r *batch.Record) error {
			n++
			for range r.Headers.All() {
			}
			return nil
		})
		if err != nil {
			if !errors.Is(err, batch.ErrRecords) && !errors.Is(err, batch.ErrTooLarge) {
				t.Fatal(err)
			}
			return
		}
		if n != b.Count() {
			t.Fatalf("%d records, the header says %d", n, b.Count())
		}
		var w batch.Builder
		again, err := w.Recompress(b, batch.CodecNone)
		if err != nil {
			t.Fatal(err)
		}
		want := records(t, b)
		if _, ok := b.DeleteHorizon(); !ok && !b.LogAppendTime() {
			if diff := cmp.Diff(want, records(t, again)); diff != "" {
				t.Fatalf("recompressed (-want +got):\n%s", diff)
			}
		}
	})
}
