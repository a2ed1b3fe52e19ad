package activemq

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/go-stomp/stomp/v3/frame"

	"millrace/connectors"
)

const bufferSize = 64 << 10

// A dialer connects to endpoints as a connection configuration says.
type dialer struct {
	config *connection
	log    connectors.Logger
	// clientID is sent if it is not empty: the broker allows one connection with it at a time.
	clientID string
	// ahead is how many messages a session holds that were not taken yet.
	ahead int
	// stompPort remembers the port that spoke STOMP where the configured one spoke OpenWire, by the configured address.
	stompPort map[string]int
}

// dial connects to e. If its port speaks OpenWire, the fallback port of the same host is tried.
func (d *dialer) dial(ctx context.Context, e endpoint) (*session, error) {
	if d.config.stompPort != 0 {
		e.port = d.config.stompPort
	}
	if port, ok := d.stompPort[e.address()]; ok {
		e.port = port
		return d.connect(ctx, e)
	}
	s, err := d.connect(ctx, e)
	wrong, ok := errors.AsType[*wrongProtocolError](err)
	port := d.config.fallbackPort
	if !ok || wrong.speaks != "OpenWire" || port == 0 || port == e.port {
		return s, err
	}
	fallback := e
	fallback.port = port
	s, fallbackErr := d.connect(ctx, fallback)
	if fallbackErr != nil {
		if _, refused := kindOf(fallbackErr); refused {
			return nil, fallbackErr
		}
		wrong.fallback = fmt.Sprintf(", and there is no STOMP at port %d (activemq.stomp.port.fallback) either: %v", port, fallbackErr)
		return nil, wrong
	}
	d.stompPort[e.address()] = port
	d.log.Warn("port speaks OpenWire; using the STOMP port of the same host instead (activemq.stomp.port.fallback)",
		"broker", e.String(), "port", port)
	return s, nil
}

// connect opens a STOMP session with e.
func (d *dialer) connect(ctx context.Context, e endpoint) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, d.config.connectTimeout)
	defer cancel()
	conn, err := d.open(ctx, e)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", e, err)
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	s, err := d.handshake(conn, e)
	if !stop() && err == nil { // ctx ended just now
		err = context.Cause(ctx)
	}
	if err != nil {
		conn.Close()
		if _, ok := kindOf(err); !ok {
			if ctx.Err() != nil {
				err = fmt.Errorf("no answer within %v", d.config.connectTimeout)
			}
			err = fmt.Errorf("connect to %s: %w", e, err)
		}
		return nil, err
	}
	s.start()
	return s, nil
}

func (d *dialer) open(ctx context.Context, e endpoint) (net.Conn, error) {
	nd := net.Dialer{KeepAlive: 30 * time.Second}
	conn, err := nd.DialContext(ctx, "tcp", e.address())
	if err != nil || !e.tls {
		return conn, err
	}
	config := d.config.tls.Clone()
	if config.ServerName == "" {
		config.ServerName = e.host
	}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secure, nil
}

// handshake sends CONNECT and reads the answer.
func (d *dialer) handshake(conn net.Conn, e endpoint) (*session, error) {
	if _, err := conn.Write(d.connectFrame(e)); err != nil {
		// Something that does not read STOMP may have said what it is before it hung up.
		said := sniff(bufio.NewReader(conn), e)
		if _, wrong := kindOf(said); wrong {
			return nil, said
		}
		return nil, err
	}
	deadlines := &deadlineReader{conn: conn}
	in := bufio.NewReaderSize(deadlines, bufferSize)
	if err := sniff(in, e); err != nil {
		return nil, err
	}
	reader := frame.NewReader(newGuard(in, d.config.maxMessage))
	var f *frame.Frame
	for f == nil { // heart-beats may come first
		var err error
		if f, err = reader.Read(); err != nil {
			return nil, err
		}
	}
	switch f.Command {
	case frame.CONNECTED:
	case frame.ERROR:
		return nil, newBrokerError(e, f)
	default:
		return nil, fmt.Errorf("it answers %s to CONNECT", f.Command)
	}
	if v := f.Header.Get(frame.Version); v != "1.2" {
		return nil, &brokerError{e, refusedProtocol, fmt.Sprintf("STOMP version %q; 1.2 is needed", v)}
	}
	s := &session{
		endpoint: e, conn: conn, reader: reader, timeout: d.config.requestTimeout,
		server:   f.Header.Get(frame.Server),
		messages: make(chan *frame.Frame, d.ahead), done: make(chan struct{}), leaving: make(chan struct{}),
		out: bufio.NewWriterSize(conn, bufferSize), receipts: make(map[string]chan error),
	}
	s.artemis = strings.Contains(s.server, "Artemis")
	s.writer = frame.NewWriter(frameBuffer{s.out})
	if err := s.agreeHeartbeats(f.Header.Get(frame.HeartBeat), d.config.heartbeat); err != nil {
		return nil, err
	}
	deadlines.wait = s.recv
	return s, nil
}

// agreeHeartbeats applies what the broker offers: nothing is expected of a broker that sends none.
func (s *session) agreeHeartbeats(offer string, wanted time.Duration) error {
	if offer == "" || wanted == 0 {
		return nil
	}
	sends, wants, err := frame.ParseHeartBeat(offer)
	if err != nil {
		return fmt.Errorf("heart-beat %q: %w", offer, err)
	}
	if sends > 0 {
		s.recv = 2*max(sends, wanted) + time.Second
	}
	if wants > 0 {
		s.send = max(wants, wanted)
	}
	return nil
}

// connectFrame builds CONNECT by hand: unlike in all other frames, nothing is escaped in it.
func (d *dialer) connectFrame(e endpoint) []byte {
	var b bytes.Buffer
	ms := d.config.heartbeat.Milliseconds()
	fmt.Fprintf(&b, "CONNECT\naccept-version:1.2\nhost:%s\nheart-beat:%d,%d\n", e.host, ms, ms)
	user, password := d.config.credentials(e)
	if user != "" {
		fmt.Fprintf(&b, "login:%s\npasscode:%s\n", user, password)
	}
	if d.clientID != "" {
		fmt.Fprintf(&b, "client-id:%s\n", d.clientID)
	}
	b.WriteString("\n\x00")
	return b.Bytes()
}

// frameBuffer hides the Flush of a bufio.Writer's destination: go-stomp's writer flushes after each frame into it.
type frameBuffer struct{ w *bufio.Writer }

func (f frameBuffer) Write(p []byte) (int, error) { return f.w.Write(p) }

// sniff looks at the first bytes of the answer for other protocols that brokers speak.
func sniff(in *bufio.Reader, e endpoint) error {
	first, err := in.Peek(1)
	if err != nil {
		return err
	}
	switch first[0] {
	case 'C', 'E', '\n', '\r':
		return nil
	case 0: // OpenWire speaks first: a size, the type WIREFORMAT_INFO and a magic
		if b, _ := in.Peek(13); len(b) == 13 && b[4] == 1 && string(b[5:]) == "ActiveMQ" {
			return &wrongProtocolError{endpoint: e, speaks: "OpenWire"}
		}
	case 'A':
		if b, _ := in.Peek(4); string(b) == "AMQP" {
			return &wrongProtocolError{endpoint: e, speaks: "AMQP"}
		}
	case 'H':
		if b, _ := in.Peek(5); string(b) == "HTTP/" {
			return &wrongProtocolError{endpoint: e, speaks: "HTTP"}
		}
	case 0x15:
		return &wrongProtocolError{endpoint: e, speaks: "TLS (write ssl:// for it)"}
	}
	return &wrongProtocolError{endpoint: e, speaks: "an unknown protocol"}
}
