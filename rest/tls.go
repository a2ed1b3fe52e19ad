package rest

import (
	"crypto/tls"
	"log/slog"
	"strings"

	"millrace/plugins/sslconfig"
)

// tlsSettings are the ssl.* settings of https listeners: the properties of a worker and what stands before the names.
type tlsSettings struct {
	props  map[string]string
	prefix string
}

// settingsUnder prefers the settings with the prefix. As in Kafka that is all or nothing: if there is one, those without do not count.
func settingsUnder(prefix string, props map[string]string) tlsSettings {
	for k := range props {
		if strings.HasPrefix(k, prefix) {
			return tlsSettings{props, prefix}
		}
	}
	return tlsSettings{props, ""}
}

func (t tlsSettings) load() (*tls.Config, error) {
	c, err := sslconfig.Server(t.props, t.prefix)
	if err != nil {
		return nil, err
	}
	c.NextProtos = []string{"http/1.1"} // as Connect's server
	// A resumed session would keep what a certificate allowed that is trusted no more.
	c.SessionTicketsDisabled = true
	return c, nil
}

// following returns a configuration that goes with renewed files. listeners is the key of those that have it.
func (t tlsSettings) following(listeners string, log *slog.Logger) (*tls.Config, error) {
	latest, err := newFresh("certificates of "+listeners, log, func() (*tls.Config, []string, error) {
		c, err := t.load()
		return c, sslconfig.Files(t.props, t.prefix), err
	})
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return latest.get(), nil },
	}, nil
}
