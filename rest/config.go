package rest

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"millrace/connectors"
)

// DefaultListener is where REST listens unless told otherwise: unlike Connect's, on the loopback address only.
const DefaultListener = "http://127.0.0.1:8083"

// Config is the configuration of a Server. The zero value listens on DefaultListener.
type Config struct {
	// Listeners are addresses like http://host:port or https://host:port; an empty host is all interfaces.
	Listeners []string
	// AdminListeners serve /admin instead of Listeners: nil means Listeners do, empty means nobody does.
	AdminListeners []string
	// AllowOrigins are regular expressions of origins that browsers may call from, or *; none turns CORS off. AllowMethods is
	// the answer to a preflight request, by default GET, POST and HEAD.
	AllowOrigins, AllowMethods []string
	// ResponseHeaders has the rules of response.http.headers.config.
	ResponseHeaders string
	// RequestTimeout bounds a call to the Herder; zero means 90 s.
	RequestTimeout time.Duration
	// MaxBody bounds the body of a request; zero means 8 MiB.
	MaxBody int64
	// Extensions are classes of REST extensions: Kafka's basic authentication or none.
	Extensions []string
	// LoginConfig is the file of the login configuration of that extension.
	LoginConfig string

	// tls are the settings of https listeners, by the key of the list of listeners.
	tls map[string]tlsSettings
}

var keys = connectors.NewConfigDef(
	connectors.ConfigKey{Name: listenersKey, Type: connectors.ConfigList, Default: []string{DefaultListener}},
	connectors.ConfigKey{Name: adminListenersKey, Type: connectors.ConfigList},
	connectors.ConfigKey{Name: "access.control.allow.origin", Type: connectors.ConfigList, Default: []string{}},
	connectors.ConfigKey{Name: "access.control.allow.methods", Type: connectors.ConfigList, Default: []string{}},
	connectors.ConfigKey{Name: "response.http.headers.config", Type: connectors.ConfigString, Default: ""},
	connectors.ConfigKey{Name: extensionsKey, Type: connectors.ConfigList, Default: []string{}},
	connectors.ConfigKey{Name: loginConfigKey, Type: connectors.ConfigString, Default: ""},
)

// ParseConfig reads the keys of a worker's properties that concern REST; the others are ignored.
func ParseConfig(properties map[string]string) (Config, error) {
	v, err := keys.Parse(connectors.Raw(properties))
	if err != nil {
		return Config{}, err
	}
	c := Config{
		Listeners:       v.List(listenersKey),
		AdminListeners:  v.List(adminListenersKey),
		AllowOrigins:    v.List("access.control.allow.origin"),
		AllowMethods:    v.List("access.control.allow.methods"),
		ResponseHeaders: v.String("response.http.headers.config"),
		Extensions:      v.List(extensionsKey),
		LoginConfig:     v.String(loginConfigKey),
		tls: map[string]tlsSettings{
			listenersKey:      settingsUnder("listeners.https.", properties),
			adminListenersKey: settingsUnder("admin.listeners.https.", properties),
		},
	}
	if len(c.Listeners) == 0 {
		return Config{}, connectors.InvalidValue(listenersKey, "", "at least one address like "+DefaultListener+" is needed")
	}
	_, err = c.withDefaults()
	return c, err
}

// withDefaults returns c complete and checked; the error names all mistakes.
func (c Config) withDefaults() (Config, error) {
	if len(c.Listeners) == 0 {
		c.Listeners = []string{DefaultListener}
	}
	if c.RequestTimeout == 0 {
		c.RequestTimeout = 90 * time.Second
	}
	if c.MaxBody == 0 {
		c.MaxBody = 8 << 20
	}
	var errs []error
	for _, group := range c.groups() {
		secure := false
		for _, l := range group.list {
			_, https, err := listenAddress(l)
			if err != nil {
				errs = append(errs, connectors.InvalidValue(group.key, l, err.Error()))
			}
			secure = secure || https
		}
		if secure {
			_, err := c.tls[group.key].load()
			errs = append(errs, err)
		}
	}
	errs = append(errs, checkExtensions(c.Extensions))
	if c.hasBasicAuth() {
		_, _, err := loadUsers(c.LoginConfig)
		errs = append(errs, err)
	}
	if _, err := parseHeaderRules(c.ResponseHeaders); err != nil {
		errs = append(errs, err)
	}
	if _, err := newOrigins(c.AllowOrigins); err != nil {
		errs = append(errs, err)
	}
	return c, errors.Join(errs...)
}

const (
	listenersKey      = "listeners"
	adminListenersKey = "admin.listeners"
)

// A listenerGroup is a list of listeners and its key.
type listenerGroup struct {
	key  string
	list []string
}

func (c *Config) groups() []listenerGroup {
	return []listenerGroup{{listenersKey, c.Listeners}, {adminListenersKey, c.AdminListeners}}
}

// listenAddress turns http://host:port into host:port.
func listenAddress(listener string) (address string, https bool, err error) {
	u, err := url.Parse(listener)
	if err != nil || u.Host == "" {
		return "", false, fmt.Errorf("not an address like %s", DefaultListener)
	}
	scheme := strings.ToLower(u.Scheme)
	if scheme != "http" && scheme != "https" {
		return "", false, fmt.Errorf("the scheme must be http or https, not %q", u.Scheme)
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	if err != nil {
		return "", false, fmt.Errorf("the port %q is not a number from 0 to 65535", u.Port())
	}
	if u.Path != "" && u.Path != "/" || u.RawQuery != "" {
		return "", false, errors.New("nothing may follow the port")
	}
	return net.JoinHostPort(u.Hostname(), strconv.FormatUint(port, 10)), scheme == "https", nil
}
