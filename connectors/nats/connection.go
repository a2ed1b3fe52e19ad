package nats

import (
	"crypto/tls"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"millrace/connectors"
)

// A connection is what both kinds of task need to reach a server.
type connection struct {
	servers   []string
	name      string
	user      string
	password  connectors.Password
	token     connectors.Password
	credsFile string
	domain    string
	timeout   time.Duration
	tls       *tls.Config
}

// dial returns a connection that reconnects for ever, and is returned even if no server answers yet. slow is called when
// the library drops messages of a subscription; it may be nil.
func (c connection) dial(log connectors.Logger, slow func(*nats.Subscription)) (*nats.Conn, error) {
	opts := []nats.Option{
		nats.Name(c.name),
		nats.Timeout(c.timeout),
		nats.RetryOnFailedConnect(true),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(500 * time.Millisecond),
		nats.ReconnectJitter(250*time.Millisecond, time.Second),
		nats.PingInterval(20 * time.Second),
		// Nothing is buffered while there is no connection: such messages could be lost without an error.
		nats.ReconnectBufSize(-1),
		nats.ConnectHandler(func(nc *nats.Conn) { log.Info("connected to nats", "server", nc.ConnectedUrlRedacted()) }),
		nats.ReconnectHandler(func(nc *nats.Conn) { log.Info("connected to nats again", "server", nc.ConnectedUrlRedacted()) }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				log.Warn("lost connection to nats", "err", err)
			}
		}),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			if sub != nil && slow != nil {
				slow(sub)
			}
			log.Warn("nats reports an error", "err", err)
		}),
	}
	if c.user != "" {
		opts = append(opts, nats.UserInfo(c.user, string(c.password)))
	}
	if c.token != "" {
		opts = append(opts, nats.Token(string(c.token)))
	}
	if c.credsFile != "" {
		opts = append(opts, nats.UserCredentials(c.credsFile))
	}
	if c.secure() {
		opts = append(opts, nats.Secure(c.tls))
	}
	conn, err := nats.Connect(strings.Join(c.servers, ","), opts...)
	if err != nil {
		return nil, &connectors.ConfigError{Msg: keyURL + ": " + err.Error()}
	}
	return conn, nil
}

// secure reports whether TLS was asked for, by a scheme or a tls.* key.
func (c connection) secure() bool {
	for _, s := range c.servers {
		if strings.HasPrefix(s, "tls:") || strings.HasPrefix(s, "wss:") {
			return true
		}
	}
	return c.tls.RootCAs != nil || len(c.tls.Certificates) > 0 || c.tls.InsecureSkipVerify || c.tls.ServerName != ""
}

func (c connection) jetStream(conn *nats.Conn, opts ...jetstream.JetStreamOpt) (jetstream.JetStream, error) {
	if c.domain != "" {
		return jetstream.NewWithDomain(conn, c.domain, opts...)
	}
	return jetstream.New(conn, opts...)
}

// redacted returns the servers without the credentials that a URL may hold.
func (c connection) redacted() string {
	shown := make([]string, len(c.servers))
	for i, s := range c.servers {
		shown[i] = s
		if u, err := url.Parse(s); err == nil {
			shown[i] = u.Redacted()
		}
	}
	return strings.Join(shown, ",")
}
