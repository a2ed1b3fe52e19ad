package clients

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
)

// A dialer opens connections to brokers.
type dialer struct {
	net.Dialer
	send, receive int         // socket buffers; 0 leaves them to the system
	tls           *tls.Config // nil: none
}

func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if err := d.buffers(conn); err != nil {
		return nil, fmt.Errorf("%w; closing: %w", err, conn.Close())
	}
	if d.tls == nil {
		return conn, nil
	}
	config := d.tls.Clone()
	if config.ServerName, _, err = net.SplitHostPort(address); err != nil {
		config.ServerName = address
	}
	secure := tls.Client(conn, config)
	hello, cancel := context.WithTimeout(ctx, d.Timeout)
	defer cancel()
	if err := secure.HandshakeContext(hello); err != nil {
		_ = conn.Close() // the handshake's error tells more
		return nil, fmt.Errorf("TLS handshake with %s: %w", address, err)
	}
	return secure, nil
}

func (d *dialer) buffers(conn net.Conn) error {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return nil
	}
	if d.send > 0 {
		if err := tcp.SetWriteBuffer(d.send); err != nil {
			return fmt.Errorf("send.buffer.bytes: %w", err)
		}
	}
	if d.receive > 0 {
		if err := tcp.SetReadBuffer(d.receive); err != nil {
			return fmt.Errorf("receive.buffer.bytes: %w", err)
		}
	}
	return nil
}
