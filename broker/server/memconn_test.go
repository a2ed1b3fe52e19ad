package server

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

func TestMemConn(t *testing.T) {
	t.Run("carries bytes in order whatever the slice sizes", func(t *testing.T) {
		client, server := newMemConn(memAddr("c"), memAddr("s"))
		want := make([]byte, 3<<20)
		rng := rand.NewChaCha8([32]byte{1})
		if _, err := rng.Read(want); err != nil {
			t.Fatal(err)
		}
		go func() {
			sizes := rand.New(rand.NewPCG(1, 2))
			for rest := want; len(rest) > 0; {
				n := min(len(rest), 1+sizes.IntN(100_000))
				if _, err := client.Write(rest[:n]); err != nil {
					t.Error(err)
					return
				}
				rest = rest[n:]
			}
			client.Close()
		}()
		var got []byte
		sizes := rand.New(rand.NewPCG(3, 4))
		buf := make([]byte, 200_000)
		for {
			n, err := server.Read(buf[:1+sizes.IntN(len(buf)-1)])
			got = append(got, buf[:n]...)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("read %d bytes that differ from the %d written", len(got), len(want))
		}
	})

	t.Run("a write without a reader is buffered", func(t *testing.T) {
		client, server := newMemConn(memAddr("c"), memAddr("s"))
		defer client.Close()
		if _, err := client.Write(make([]byte, memCapacity)); err != nil {
			t.Fatal(err)
		}
		if n, err := io.ReadFull(server, make([]byte, memCapacity)); err != nil || n != memCapacity {
			t.Fatalf("read %d, %v", n, err)
		}
	})

	t.Run("a full buffer holds the writer until its deadline", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			client, server := newMemConn(memAddr("c"), memAddr("s"))
			defer server.Close()
			client.SetWriteDeadline(time.Now().Add(time.Second))
			begin := time.Now()
			n, err := client.Write(make([]byte, memCapacity+1))
			if n != memCapacity || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("wrote %d, %v", n, err)
			}
			if took := time.Since(begin); took != time.Second {
				t.Fatalf("took %v", took)
			}
		})
	})

	t.Run("a read deadline ends a waiting read and can be lifted", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			client, server := newMemConn(memAddr("c"), memAddr("s"))
			server.SetReadDeadline(time.Now().Add(time.Minute))
			if _, err := server.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal(err)
			}
			server.SetReadDeadline(time.Time{})
			if _, err := client.Write([]byte{7}); err != nil {
				t.Fatal(err)
			}
			b := make([]byte, 1)
			if _, err := server.Read(b); err != nil || b[0] != 7 {
				t.Fatal(b, err)
			}
			server.SetReadDeadline(time.Now().Add(-time.Second))
			var timeout net.Error
			if _, err := server.Read(b); !errors.As(err, &timeout) || !timeout.Timeout() {
				t.Fatal(err)
			}
		})
	})

	t.Run("close gives the peer what is buffered, then EOF", func(t *testing.T) {
		client, server := newMemConn(memAddr("c"), memAddr("s"))
		if _, err := client.Write([]byte("bye")); err != nil {
			t.Fatal(err)
		}
		client.Close()
		if got, err := io.ReadAll(server); err != nil || string(got) != "bye" {
			t.Fatalf("%q %v", got, err)
		}
		if _, err := client.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Fatal(err)
		}
		if _, err := server.Write([]byte{1}); err == nil {
			t.Fatal("write to a closed peer succeeded")
		}
	})

	t.Run("close wakes both directions", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			client, server := newMemConn(memAddr("c"), memAddr("s"))
			errs := make(chan error, 2)
			go func() { _, err := server.Read(make([]byte, 1)); errs <- err }()
			go func() { _, err := server.Write(make([]byte, 2*memCapacity)); errs <- err }()
			synctest.Wait()
			server.Close()
			for range 2 {
				if err := <-errs; !errors.Is(err, net.ErrClosed) {
					t.Fatal(err)
				}
			}
			_ = client
		})
	})
}
