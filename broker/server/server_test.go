package server_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"millrace/broker/api"
	"millrace/broker/server"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// script is a dispatcher whose frames say what to do: key, then a four-byte number to answer with.
type script struct {
	mu      sync.Mutex
	begun   []uint32
	waiting map[uint32]*answer
	arrived chan uint32
}

func newScript() *script {
	return &script{waiting: make(map[uint32]*answer), arrived: make(chan uint32, 1<<20)}
}

// The keys of the script. Produce is the one that pipelines.
const (
	keyProduce = 0 // waits for release
	keyAnswer  = 3 // is answered at once
	keyWait    = 1 // waits for release, in line
	keyFail    = 9 // closes
)

type answer struct {
	n        uint32
	ready    chan struct{}
	released chan struct{}
}

func (a *answer) Ready() <-chan struct{} {
	select {
	case <-a.ready:
		return nil
	default:
		return a.ready
	}
}

func (a *answer) AppendTo(o *api.Out) {
	o.Begin()
	o.SetBytes(binary.BigEndian.AppendUint32(o.Bytes(), a.n))
	o.End()
}

func (a *answer) Release() { close(a.released) }

func (s *script) Dispatch(_ context.Context, _ *api.Client, frame []byte) (api.Reply, error) {
	key, n := binary.BigEndian.Uint16(frame), binary.BigEndian.Uint32(frame[6:])
	a := &answer{n: n, ready: make(chan struct{}), released: make(chan struct{})}
	s.mu.Lock()
	s.begun = append(s.begun, n)
	s.waiting[n] = a
	s.mu.Unlock()
	s.arrived <- n
	switch key {
	case keyFail:
		return nil, errors.New("no such thing")
	case keyAnswer:
		close(a.ready)
	}
	return a, nil
}

func (s *script) release(n uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.waiting[n].ready)
}

func request(key uint16, n uint32) []byte {
	b := binary.BigEndian.AppendUint32(nil, 10)
	b = binary.BigEndian.AppendUint16(b, key)
	b = append(b, 0, 0, 0, 0)
	return binary.BigEndian.AppendUint32(b, n)
}

func readAnswer(t *testing.T, r io.Reader) uint32 {
	t.Helper()
	var b [8]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		t.Fatal(err)
	}
	return binary.BigEndian.Uint32(b[4:])
}

// running is a server in a synctest bubble, reached in memory.
type running struct {
	*server.Server
	script *script
	stop   context.CancelFunc
	ended  chan error
	log    *bytes.Buffer
}

func run(t *testing.T, cfg server.Config) *running {
	t.Helper()
	r := &running{script: newScript(), ended: make(chan error, 1), log: &bytes.Buffer{}}
	cfg.Dispatcher = r.script
	cfg.Listeners = []server.Listener{{Name: "PLAINTEXT", Address: "127.0.0.1:0"}}
	cfg.Logger = slog.New(slog.NewTextHandler(r.log, nil))
	if cfg.Listen == nil {
		cfg.Listen = listenNowhere
	}
	r.Server = server.New(cfg)
	if err := r.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	go func() { r.ended <- r.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-r.ended; err != nil {
			t.Error(err)
		}
	})
	return r
}

// nowhere is a listener that nobody can connect to; unlike a real one it lets the bubble's clock run.
type nowhere struct {
	closed chan struct{}
	once   sync.Once
}

func listenNowhere(context.Context, string, string) (net.Listener, error) {
	return &nowhere{closed: make(chan struct{})}, nil
}

func (l *nowhere) Accept() (net.Conn, error) {
	<-l.closed
	return nil, net.ErrClosed
}

func (l *nowhere) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *nowhere) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9092} }

// dial connects in memory.
func (r *running) dial(t *testing.T) net.Conn {
	t.Helper()
	<-r.Running()
	c, err := r.DialContext(t.Context(), "tcp", r.Endpoints()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func send(t *testing.T, c net.Conn, frames ...[]byte) {
	t.Helper()
	if _, err := c.Write(bytes.Join(frames, nil)); err != nil {
		t.Fatal(err)
	}
}

func (r *running) arrived(t *testing.T, want ...uint32) {
	t.Helper()
	for _, n := range want {
		if got := <-r.script.arrived; got != n {
			t.Fatalf("request %d began, want %d", got, n)
		}
	}
}

func (r *running) nothingArrived(t *testing.T) {
	t.Helper()
	select {
	case n := <-r.script.arrived:
		t.Fatalf("request %d began too early", n)
	default:
	}
}

func TestOrder(t *testing.T) {
	t.Run("produce requests begin at once and are answered in order", func(t *testing.T) {
		r := run(t, server.Config{})
		c := r.dial(t)
		send(t, c, request(keyProduce, 1), request(keyProduce, 2), request(keyProduce, 3))
		r.arrived(t, 1, 2, 3)
		r.script.release(3)
		r.script.release(2)
		r.script.release(1)
		for want := uint32(1); want <= 3; want++ {
			if got := readAnswer(t, c); got != want {
				t.Fatalf("answer %d, want %d", got, want)
			}
		}
	})

	t.Run("anything else waits until the answers before it have left", func(t *testing.T) {
		r := run(t, server.Config{})
		c := r.dial(t)
		send(t, c, request(keyWait, 1), request(keyAnswer, 2), request(keyProduce, 3), request(keyAnswer, 4))
		r.arrived(t, 1)
		r.nothingArrived(t)
		r.script.release(1)
		if got := readAnswer(t, c); got != 1 {
			t.Fatal(got)
		}
		if got := readAnswer(t, c); got != 2 {
			t.Fatal(got)
		}
		r.arrived(t, 2, 3)
		r.nothingArrived(t)
		r.script.release(3)
		if got := []uint32{readAnswer(t, c), readAnswer(t, c)}; got[0] != 3 || got[1] != 4 {
			t.Fatal(got)
		}
	})

	t.Run("hundreds of requests in one write", func(t *testing.T) {
		r := run(t, server.Config{})
		c := r.dial(t)
		var all []byte
		for n := range uint32(500) {
			all = append(all, request(keyAnswer, n)...)
		}
		go func() {
			if _, err := c.Write(all); err != nil {
				t.Error(err)
			}
		}()
		for n := range uint32(500) {
			if got := readAnswer(t, c); got != n {
				t.Fatalf("answer %d, want %d", got, n)
			}
		}
	})
}

func TestBackPressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 4
		r := run(t, server.Config{MaxInFlight: limit})
		c := r.dial(t)
		for n := range uint32(20) {
			send(t, c, request(keyProduce, n))
		}
		synctest.Wait()
		// The queue, the one the writer waits for, and the one the reader holds.
		if n := len(r.script.arrived); n != limit+2 {
			t.Errorf("%d requests began", n)
		}
		for n := range uint32(20) {
			r.arrived(t, n)
			r.script.release(n)
		}
		for n := range uint32(20) {
			if got := readAnswer(t, c); got != n {
				t.Fatalf("answer %d, want %d", got, n)
			}
		}
	})
}

// One client that is slow to send holds memory that others wait for; those go on when it is gone.
func TestRequestMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, server.Config{QueuedMaxRequestBytes: 25})
		slow, quick := r.dial(t), r.dial(t)
		half := request(keyAnswer, 1)
		binary.BigEndian.PutUint32(half, 1000) // more than there is: it takes everything
		send(t, slow, half)
		synctest.Wait()
		send(t, quick, request(keyAnswer, 2))
		synctest.Wait()
		r.nothingArrived(t)
		slow.Close()
		r.arrived(t, 2)
		if got := readAnswer(t, quick); got != 2 {
			t.Errorf("answer %d, want 2", got)
		}
		for n := uint32(3); n < 10; n++ { // everything was given back
			send(t, quick, request(keyAnswer, n))
			readAnswer(t, quick)
		}
	})
}

func TestClientGone(t *testing.T) {
	r := run(t, server.Config{})
	c := r.dial(t)
	send(t, c, request(keyWait, 1))
	r.arrived(t, 1)
	c.Close()
	r.script.mu.Lock()
	a := r.script.waiting[1]
	r.script.mu.Unlock()
	<-a.released // the wait ends with the connection
}

func TestBadFramesClose(t *testing.T) {
	for name, in := range map[string][]byte{
		"size zero":     {0, 0, 0, 0},
		"negative size": {0x80, 0, 0, 0, 1, 2},
		"oversized":     {0x7f, 0xff, 0xff, 0xff, 1, 2},
		"HTTP":          []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		"refused":       request(keyFail, 1),
	} {
		t.Run(name, func(t *testing.T) {
			r := run(t, server.Config{})
			c := r.dial(t)
			send(t, c, in)
			if n, err := c.Read(make([]byte, 10)); n != 0 || err == nil {
				t.Fatalf("read %d bytes, %v", n, err)
			}
			r.stop()
			<-r.ended
			r.ended <- nil
			if lines := strings.Count(r.log.String(), "connection closed"); lines != 1 {
				t.Errorf("%d log lines: %s", lines, r.log)
			}
		})
	}
}

func TestLogIsLimited(t *testing.T) {
	r := run(t, server.Config{})
	for range 50 {
		c := r.dial(t)
		send(t, c, []byte{0, 0, 0, 0})
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Fatal("not closed")
		}
	}
	r.stop()
	<-r.ended
	r.ended <- nil
	if lines := strings.Count(r.log.String(), "\n"); lines != 10 {
		t.Errorf("%d log lines:\n%s", lines, r.log)
	}
}

func TestIdleConnectionsClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, server.Config{IdleTimeout: time.Minute})
		idle, waiting := r.dial(t), r.dial(t)
		send(t, waiting, request(keyWait, 1))
		began := time.Now()
		if _, err := idle.Read(make([]byte, 1)); err != io.EOF {
			t.Fatal(err)
		}
		if took := time.Since(began); took < time.Minute || took > 70*time.Second {
			t.Errorf("closed after %v", took)
		}
		r.arrived(t, 1)
		r.script.release(1)
		if got := readAnswer(t, waiting); got != 1 {
			t.Fatal(got)
		}
	})
}

func TestClientThatDoesNotReadIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, server.Config{IdleTimeout: time.Minute})
		c := r.dial(t)
		go func() {
			for n := uint32(0); ; n++ {
				if _, err := c.Write(request(keyAnswer, n)); err != nil {
					return
				}
			}
		}()
		time.Sleep(3 * time.Minute) // virtual
		if _, err := io.Copy(io.Discard, c); err != nil {
			t.Fatal(err)
		}
	})
}

func TestMaxConnections(t *testing.T) {
	r := run(t, server.Config{MaxConnections: 2, Listen: new(net.ListenConfig).Listen})
	r.dial(t) // the server runs
	dial := func() net.Conn {
		c, err := net.Dial("tcp", r.Addrs()[0].String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	first := dial()
	send(t, first, request(keyAnswer, 1))
	if got := readAnswer(t, first); got != 1 {
		t.Fatal(got)
	}
	second := dial()
	if _, err := second.Read(make([]byte, 1)); err == nil {
		t.Error("a connection above the limit was kept")
	}
	first.Close()
}

func TestStop(t *testing.T) {
	t.Run("waits only for acknowledgements", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := run(t, server.Config{})
			c := r.dial(t)
			send(t, c, request(keyWait, 1))
			r.arrived(t, 1)
			began := time.Now()
			r.stop()
			if err := <-r.ended; err != nil {
				t.Fatal(err)
			}
			r.ended <- nil
			if took := time.Since(began); took != 0 {
				t.Errorf("took %v", took)
			}
			if _, err := c.Read(make([]byte, 1)); err != io.EOF {
				t.Error(err)
			}
		})
	})

	t.Run("is not held up by a client that does not read", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := run(t, server.Config{ShutdownTimeout: time.Second})
			c := r.dial(t)
			go func() {
				for n := uint32(0); ; n++ {
					if _, err := c.Write(request(keyAnswer, n)); err != nil {
						return
					}
				}
			}()
			synctest.Wait()
			began := time.Now()
			r.stop()
			if err := <-r.ended; err != nil {
				t.Fatal(err)
			}
			r.ended <- nil
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("took %v", took)
			}
		})
	})
}

func TestListenErrors(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	s := server.New(server.Config{Listeners: []server.Listener{{Name: "PLAINTEXT", Address: taken.Addr().String()}}})
	want := "listener PLAINTEXT " + taken.Addr().String() + ": address already in use; stop the other program or set listeners to a free port"
	if err := s.Listen(t.Context()); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestAdvertised(t *testing.T) {
	for _, c := range []struct {
		address, advertised string
		host                string // empty: anything that is not "all interfaces"
		port                uint16
	}{
		{"127.0.0.1:0", "", "127.0.0.1", 9092},
		{"127.0.0.1:0", "kafka.example:19092", "kafka.example", 19092},
		{":0", "kafka.example:0", "kafka.example", 9092},
		{":0", "", "", 9092},
		{"0.0.0.0:0", "", "", 9092},
		{"[::]:0", "", "", 9092},
	} {
		s := server.New(server.Config{
			Listen:    listenNowhere,
			Listeners: []server.Listener{{Name: "PLAINTEXT", Address: c.address, Advertised: c.advertised}},
		})
		if err := s.Listen(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := s.Endpoints()[0]
		if got.Port != c.port || c.host != "" && got.Host != c.host || got.Host == "" || net.ParseIP(got.Host).IsUnspecified() {
			t.Errorf("%s as %q: got %s", c.address, c.advertised, got)
		}
	}
}

func TestDialChoosesTheNetworkForOtherAddresses(t *testing.T) {
	r := run(t, server.Config{Listen: new(net.ListenConfig).Listen})
	if c := r.dial(t); c.RemoteAddr().Network() != "memory" {
		t.Errorf("own address: %v", c.RemoteAddr().Network())
	}
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	c, err := r.DialContext(t.Context(), "tcp", other.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if c.RemoteAddr().Network() != "tcp" {
		t.Errorf("other address: %v", c.RemoteAddr().Network())
	}
}
