package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"

	"millrace/connectors"
)

const (
	pollWait          = time.Second
	stopWait          = 3 * time.Second // below task.shutdown.graceful.timeout.ms
	writeTimeout      = 10 * time.Second
	disconnectQuiesce = 250 // milliseconds that paho waits for its outgoing packets

	subackFailure = 0x80
)

// A connection is what both kinds of task need to reach a broker.
type connection struct {
	servers        []string
	username       string
	password       connectors.Password
	clientID       string
	keepAlive      time.Duration
	connectTimeout time.Duration
	tls            *tls.Config
}

// options returns paho's options for one connection attempt. Reconnecting is ours: paho's own completes publications that
// nobody confirmed.
func (c connection) options() *paho.ClientOptions {
	opts := paho.NewClientOptions()
	for _, s := range c.servers {
		opts.AddBroker(s)
	}
	opts.SetProtocolVersion(4)
	opts.SetUsername(c.username)
	opts.SetPassword(string(c.password))
	opts.SetKeepAlive(c.keepAlive)
	opts.SetConnectTimeout(c.connectTimeout)
	opts.SetWriteTimeout(writeTimeout)
	opts.SetAutoReconnect(false)
	opts.SetConnectRetry(false)
	if c.tls != nil {
		opts.SetTLSConfig(c.tls)
	}
	return opts
}

// redacted returns the servers without the credentials that a URI may hold.
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

// clientID returns the client id of a task. Two clients of one id throw each other out, so each task has its own.
func clientID(c connection, connector string, task int) string {
	id := c.clientID
	if id == "" {
		id = connector
	}
	return fmt.Sprintf("%s-%d", id, task)
}

// await waits for a token, a timeout or the end of ctx.
func await(ctx context.Context, token paho.Token, timeout time.Duration) error {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-token.Done():
		return token.Error()
	case <-timer.C:
		return fmt.Errorf("no answer within %s", timeout)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// connectError gives a refusal that trying again cannot mend the type that says so.
func connectError(err error) error {
	switch {
	case errors.Is(err, packets.ErrorRefusedBadUsernameOrPassword), errors.Is(err, packets.ErrorRefusedNotAuthorised):
		return &connectors.ConfigError{Msg: fmt.Sprintf("%s, %s: the broker refused the login: %v", keyUsername, keyPassword, err)}
	case errors.Is(err, packets.ErrorRefusedIDRejected):
		return &connectors.ConfigError{Msg: fmt.Sprintf("%s: the broker refused the client id: %v", keyClientID, err)}
	case errors.Is(err, packets.ErrorRefusedBadProtocolVersion):
		return &connectors.ConfigError{Msg: fmt.Sprintf("%s: the broker does not speak MQTT 3.1.1: %v", keyServers, err)}
	}
	return err
}

func fatal(err error) bool {
	_, ok := errors.AsType[*connectors.ConfigError](err)
	return ok
}
