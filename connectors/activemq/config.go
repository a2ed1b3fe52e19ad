package activemq

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strings"
	"time"

	"millrace/connectors"
)

const maxPrefetch = 32766

// Keys of both connectors.
const (
	keyURIs            = "activemq.server_uris"
	keyDestination     = "activemq.destination"
	keyDestinationType = "activemq.destination.type"
	keyUser            = "activemq.user"
	keyPassword        = "activemq.password"
	keyPort            = "activemq.stomp.port"
	keyFallback        = "activemq.stomp.port.fallback"
	keyClientID        = "activemq.client.id"
	keyHeartbeat       = "activemq.heartbeat.ms"
	keyConnectTimeout  = "activemq.connect.timeout.ms"
	keyRequestTimeout  = "request.timeout.ms"
	keyBackoff         = "reconnect.backoff.ms"
	keyBackoffMax      = "reconnect.backoff.max.ms"
	keyRetryTime       = "max.retry.time.ms"
	keyMaxMessage      = "max.message.bytes"
	keyCA              = "tls.ca.file"
	keyCert            = "tls.cert.file"
	keyKey             = "tls.key.file"
	keyServerName      = "tls.server.name"
	keyInsecure        = "tls.insecure.skip.verify"
)

// connectionKeys are the keys by which both connectors reach a broker.
func connectionKeys() []connectors.ConfigKey {
	return []connectors.ConfigKey{
		{
			Name: keyURIs, Type: connectors.ConfigString, Required: true, Importance: connectors.High, Group: "Broker", Order: 1,
			Width:   connectors.WidthLong,
			Aliases: []string{"activemq.url", "activemq.urls", "activemq.brokerURL", "connect.jms.url", "broker.url"},
			Validator: connectors.CheckFunc("broker URIs", func(value any) string {
				if text, ok := value.(string); !ok {
					return "" // missing, which is an error of its own
				} else if _, err := parseFailover(text); err != nil {
					return err.Error()
				}
				return ""
			}),
			Doc: "Where the brokers are: tcp://host:port, or failover:(tcp://a:61613,tcp://b:61613)?randomize=false and the other options of " +
				"ActiveMQ's failover transport. The port must speak STOMP; see activemq.stomp.port for URIs written for a Java client.",
		},
		{
			Name: keyUser, Type: connectors.ConfigString, Importance: connectors.Medium, Group: "Broker", Order: 2,
			Aliases:   []string{"activemq.username", "jms.username", "connect.jms.username"},
			Validator: oneLine("user"),
			Doc:       "The user name, if the broker wants one.",
		},
		{
			Name: keyPassword, Type: connectors.ConfigPassword, Importance: connectors.Medium, Group: "Broker", Order: 3,
			Aliases:   []string{"jms.password", "connect.jms.password"},
			Validator: oneLine("password"),
			Doc:       "The user's password.",
		},
		{
			Name: keyPort, Type: connectors.ConfigInt, Default: 0, Importance: connectors.Medium, Group: "Broker", Order: 4,
			Validator: connectors.Between(0, 65535),
			Doc:       "The port to connect to on every host of the URIs, instead of the ports given there; 0 keeps those.",
		},
		{
			Name: keyFallback, Type: connectors.ConfigInt, Default: 61613, Importance: connectors.Low, Group: "Broker", Order: 5,
			Validator: connectors.Between(0, 65535),
			Doc:       "The port that is tried on the same host when a port turns out to speak OpenWire; 0 tries none.",
		},
		{
			Name: keyClientID, Type: connectors.ConfigString, Importance: connectors.Low, Group: "Broker", Order: 6,
			Aliases: []string{"jms.client.id"}, Validator: oneLine("client id"),
			Doc: "The client id. Only durable subscriptions need one; theirs is the connector's name if this is not set. With several tasks, the task's number is appended.",
		},
		{
			Name: keyHeartbeat, Type: connectors.ConfigInt, Default: 30000, Importance: connectors.Low, Group: "Broker", Order: 7,
			Validator: connectors.CheckFunc("0 or at least 1000", func(value any) string {
				if n, ok := value.(int32); !ok || n != 0 && n < 1000 {
					return "Value must be 0 or at least 1000"
				}
				return ""
			}),
			Doc: "How often, in milliseconds, each side lets the other know that it is alive; 0 is never.",
		},
		{
			Name: keyConnectTimeout, Type: connectors.ConfigInt, Default: 10000, Importance: connectors.Low, Group: "Broker", Order: 8,
			Validator: connectors.AtLeast(1),
			Doc:       "How long, in milliseconds, connecting may take until the broker has accepted us.",
		},
		{
			Name: keyRequestTimeout, Type: connectors.ConfigInt, Default: 30000, Importance: connectors.Low, Group: "Broker", Order: 9,
			Validator: connectors.AtLeast(1),
			Doc:       "How long, in milliseconds, the broker may take to accept bytes or to confirm a request.",
		},
		{
			Name: keyBackoff, Type: connectors.ConfigInt, Importance: connectors.Low, Group: "Broker", Order: 10,
			Validator: nullOrAtLeast(0),
			Doc:       "The first wait, in milliseconds, before brokers are tried again. Not set: initialReconnectDelay of the URI, or 10.",
		},
		{
			Name: keyBackoffMax, Type: connectors.ConfigInt, Importance: connectors.Low, Group: "Broker", Order: 11,
			Validator: nullOrAtLeast(0),
			Doc:       "The longest such wait. Not set: maxReconnectDelay of the URI, or 30000.",
		},
		{
			Name: keyRetryTime, Type: connectors.ConfigLong, Default: -1, Importance: connectors.Low, Group: "Broker", Order: 12,
			Aliases: []string{"max.retry.time"}, Validator: connectors.AtLeast(-1),
			Doc: "How long, in milliseconds, all brokers may be away before the task fails; -1 is for ever.",
		},
		{
			Name: keyMaxMessage, Type: connectors.ConfigInt, Default: 100 << 20, Importance: connectors.Low, Group: "Broker", Order: 13,
			Validator: connectors.Between(1024, 1<<30),
			Doc:       "The largest message body, in bytes, taken from a broker.",
		},
		{
			Name: keyCA, Type: connectors.ConfigString, Importance: connectors.Low, Group: "TLS", Order: 1,
			Aliases: []string{"ssl.truststore.location"},
			Doc:     "A PEM file of the certificate authorities to trust; not set: the system's.",
		},
		{
			Name: keyCert, Type: connectors.ConfigString, Importance: connectors.Low, Group: "TLS", Order: 2,
			Aliases: []string{"ssl.keystore.location"},
			Doc:     "A PEM file with our certificate, if the broker wants one.",
		},
		{
			Name: keyKey, Type: connectors.ConfigString, Importance: connectors.Low, Group: "TLS", Order: 3,
			Doc: "A PEM file with its key; not set: in the same file as the certificate.",
		},
		{
			Name: keyServerName, Type: connectors.ConfigString, Importance: connectors.Low, Group: "TLS", Order: 4,
			Doc: "The name that the broker's certificate must have; not set: the URI's host.",
		},
		{
			Name: keyInsecure, Type: connectors.ConfigBoolean, Default: false, Importance: connectors.Low, Group: "TLS", Order: 5,
			Doc: "Whether to accept any certificate. For tests only.",
		},
	}
}

func oneLine(what string) connectors.ConfigCheck {
	return connectors.CheckFunc("one line", func(value any) string {
		text, _ := value.(string)
		if p, ok := value.(connectors.Password); ok {
			text = string(p)
		}
		if strings.ContainsAny(text, "\r\n\x00") {
			return "The " + what + " must not contain line ends"
		}
		return ""
	})
}

func nullOrAtLeast(lowest int32) connectors.ConfigCheck {
	return connectors.CheckFunc(fmt.Sprintf("[%d,...]", lowest), func(value any) string {
		if n, ok := value.(int32); ok && n < lowest {
			return fmt.Sprintf("Value must be at least %d", lowest)
		}
		return ""
	})
}

// A connection is the parsed form of connectionKeys.
type connection struct {
	failover       failover
	user           string
	password       connectors.Password
	stompPort      int
	fallbackPort   int
	clientID       string
	heartbeat      time.Duration
	connectTimeout time.Duration
	requestTimeout time.Duration
	retry          time.Duration
	maxMessage     int64
	tls            *tls.Config
}

func parseConnection(values connectors.Values) (*connection, error) {
	f, err := parseFailover(values.String(keyURIs))
	if err != nil {
		return nil, connectors.InvalidValue(keyURIs, values.String(keyURIs), err.Error())
	}
	c := &connection{
		failover: f,
		user:     values.String(keyUser), password: values.Password(keyPassword),
		stompPort: int(values.Int(keyPort)), fallbackPort: int(values.Int(keyFallback)),
		clientID:  values.String(keyClientID),
		heartbeat: values.Millis(keyHeartbeat), connectTimeout: values.Millis(keyConnectTimeout),
		requestTimeout: values.Millis(keyRequestTimeout),
		maxMessage:     int64(values.Int(keyMaxMessage)),
	}
	if f.timeout > 0 {
		c.requestTimeout = f.timeout
	}
	if !values.IsNull(keyBackoff) {
		c.failover.initialDelay = values.Millis(keyBackoff)
	}
	if !values.IsNull(keyBackoffMax) {
		c.failover.maxDelay = values.Millis(keyBackoffMax)
	}
	c.failover.maxDelay = max(c.failover.maxDelay, c.failover.initialDelay)
	if ms := values.Long(keyRetryTime); ms >= 0 {
		c.retry = time.Duration(ms)*time.Millisecond + 1 // 0 allows no time at all
	}
	if c.tls, err = tlsConfig(values); err != nil {
		return nil, err
	}
	return c, nil
}

// credentials returns the user and password for e: those of the keys, else those in the URI.
func (c *connection) credentials(e endpoint) (user, password string) {
	if c.user != "" {
		return c.user, string(c.password)
	}
	if e.user != nil {
		password, _ = e.user.Password()
		user = e.user.Username()
	} else if user = e.query.Get("jms.userName"); user != "" {
		password = e.query.Get("jms.password")
	}
	if strings.ContainsAny(user+password, "\r\n\x00") {
		return "", ""
	}
	return user, password
}

func tlsConfig(values connectors.Values) (*tls.Config, error) {
	config := &tls.Config{
		MinVersion: tls.VersionTLS12,
		ServerName: values.String(keyServerName), InsecureSkipVerify: values.Bool(keyInsecure), //nolint:gosec // the user's choice
	}
	if path := values.String(keyCA); path != "" {
		pem, err := os.ReadFile(path)
		if err != nil {
			return nil, &connectors.ConfigError{Msg: fmt.Sprintf("%s: %v", keyCA, err)}
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, &connectors.ConfigError{Msg: fmt.Sprintf("%s: %s has no PEM certificate in it", keyCA, path)}
		}
	}
	if path := values.String(keyCert); path != "" {
		key := values.String(keyKey)
		if key == "" {
			key = path
		}
		pair, err := tls.LoadX509KeyPair(path, key)
		if err != nil {
			return nil, &connectors.ConfigError{Msg: fmt.Sprintf("%s, %s: %v", keyCert, keyKey, err)}
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// describe logs what the user may want to know of a connector's configuration.
func (c *connection) describe(log connectors.Logger) {
	for _, option := range c.failover.ignored {
		log.Warn("option of activemq.server_uris means nothing over STOMP and is ignored", "option", option)
	}
}
