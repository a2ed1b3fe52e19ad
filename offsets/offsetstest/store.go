package offsetstest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/offsets"
)

// An Opener opens a store on the same storage each time it is called, closing what it opened before.
type Opener func(t *testing.T) offsets.Store

// Run runs the contract; newStorage prepares empty storage.
func Run(t *testing.T, newStorage func(t *testing.T) Opener) {
	tests := []struct {
		name string
		test func(t *testing.T, open Opener)
	}{
		{"get answers in the order of the question", testGet},
		{"what was put survives reopening", testReopen},
		{"a nil offset removes", testRemove},
		{"connectors are apart", testConnectors},
		{"nested values are refused", testNested},
		{"many put at once", testConcurrent},
		{"numbers keep their kind", testNumbers},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, newStorage(t)) })
	}
}

func file(name string) map[string]any { return map[string]any{"filename": name} }
func position(n int64) map[string]any { return map[string]any{"position": n} }
func put(t *testing.T, s offsets.Store, offs ...offsets.Offset) {
	t.Helper()
	if err := s.Put(t.Context(), offs); err != nil {
		t.Fatalf("Put: %v", err)
	}
}

func wantOffset(t *testing.T, s offsets.Store, connector string, partition, want map[string]any) {
	t.Helper()
	got, err := s.Get(t.Context(), connector, []map[string]any{partition})
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	if diff := cmp.Diff([]map[string]any{want}, got); diff != "" {
		t.Errorf("offset of %v (-want +got):\n%s", partition, diff)
	}
}

func testGet(t *testing.T, open Opener) {
	s := open(t)
	put(t, s, offsets.Offset{Connector: "c", Partition: file("a"), Offset: position(1)},
		offsets.Offset{Connector: "c", Partition: file("b"), Offset: position(2)})
	put(t, s, offsets.Offset{Connector: "c", Partition: file("a"), Offset: position(3)})
	got, err := s.Get(t.Context(), "c", []map[string]any{file("b"), file("none"), file("a")})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]map[string]any{position(2), nil, position(3)}, got); diff != "" {
		t.Errorf("offsets (-want +got):\n%s", diff)
	}
}

func testReopen(t *testing.T, open Opener) {
	partition := map[string]any{"b": "x", "a": int64(1), "c": nil, "d": true}
	put(t, open(t), offsets.Offset{Connector: "c \"ü\"", Partition: partition, Offset: position(1 << 60)})
	s := open(t)
	wantOffset(t, s, "c \"ü\"", partition, position(1<<60))
	put(t, s, offsets.Offset{Connector: "c \"ü\"", Partition: partition, Offset: position(7)})
	wantOffset(t, open(t), "c \"ü\"", partition, position(7))
}

func testRemove(t *testing.T, open Opener) {
	s := open(t)
	put(t, s, offsets.Offset{Connector: "c", Partition: file("a"), Offset: position(1)})
	put(t, s, offsets.Offset{Connector: "c", Partition: file("a")}, offsets.Offset{Connector: "c", Partition: file("never")})
	wantOffset(t, s, "c", file("a"), nil)
	s = open(t)
	wantOffset(t, s, "c", file("a"), nil)
	list, err := s.List(t.Context(), "c")
	if err != nil || len(list) != 0 {
		t.Errorf("List = %v, %v, want nothing", list, err)
	}
}

func testConnectors(t *testing.T, open Opener) {
	s := open(t)
	want := []offsets.Offset{
		{Connector: "c", Partition: file("a"), Offset: position(1)},
		{Connector: "c", Partition: file("b"), Offset: position(2)},
	}
	put(t, s, want[1], want[0], offsets.Offset{Connector: "other", Partition: file("a"), Offset: position(3)})
	wantList(t, s, "c", want)
	wantList(t, open(t), "c", want)
}

func wantList(t *testing.T, s offsets.Store, connector string, want []offsets.Offset) {
	t.Helper()
	got, err := s.List(t.Context(), connector)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
}

func testNested(t *testing.T, open Opener) {
	s := open(t)
	err := s.Put(t.Context(), []offsets.Offset{
		{Connector: "c", Partition: file("a"), Offset: map[string]any{"f": []any{int64(1)}}}})
	var nested *offsets.NestedError
	if !errors.As(err, &nested) || nested.Field != "f" || nested.Type != "ARRAY" {
		t.Errorf("Put of a nested value = %v", err)
	}
	wantOffset(t, s, "c", file("a"), nil)
}

func testConcurrent(t *testing.T, open Opener) {
	s := open(t)
	var wg sync.WaitGroup
	errs := make([]error, 20)
	for i := range errs {
		wg.Go(func() {
			for n := range 5 {
				errs[i] = errors.Join(errs[i], s.Put(context.Background(), []offsets.Offset{
					{Connector: "c", Partition: file(fmt.Sprint(i)), Offset: position(int64(n))}}))
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	s = open(t)
	for i := range errs {
		wantOffset(t, s, "c", file(fmt.Sprint(i)), position(4))
	}
}

func testNumbers(t *testing.T, open Opener) {
	offset := map[string]any{"i": int64(-1), "f": 2.0, "big": 1e300, "small": 1.5e-9}
	put(t, open(t), offsets.Offset{Connector: "c", Partition: file("a"), Offset: offset})
	wantOffset(t, open(t), "c", file("a"), offset)
}
