package schemaregistry

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"crypto/tls"

	"millrace/connectors"
)

// URLKey is the key of the registry's URLs.
const URLKey = "schema.registry.url"

const (
	autoRegisterKey      = "auto.register.schemas"
	useLatestKey         = "use.latest.version"
	useIDKey             = "use.schema.id"
	strictKey            = "latest.compatibility.strict"
	normalizeKey         = "normalize.schemas"
	keyStrategyKey       = "key.subject.name.strategy"
	valueStrategyKey     = "value.subject.name.strategy"
	cacheKey             = "max.schemas.per.subject"
	latestTTLKey         = "latest.cache.ttl.sec"
	credentialsSourceKey = "basic.auth.credentials.source"
	userInfoKey          = "basic.auth.user.info"
	bearerSourceKey      = "bearer.auth.credentials.source"
	bearerTokenKey       = "bearer.auth.token"
	proxyHostKey         = "proxy.host"
	proxyPortKey         = "proxy.port"
	connectTimeoutKey    = "http.connect.timeout.ms"
	readTimeoutKey       = "http.read.timeout.ms"
	retriesKey           = "max.retries"
	retryWaitKey         = "retries.wait.ms"
	retryMaxWaitKey      = "retries.max.wait.ms"
	headerPrefix         = "request.header."
	clientPrefix         = "schema.registry."
	trustLocationKey     = "schema.registry.ssl.truststore.location"
	trustCertificatesKey = "schema.registry.ssl.truststore.certificates"
	keyLocationKey       = "schema.registry.ssl.keystore.location"
	keyChainKey          = "schema.registry.ssl.keystore.certificate.chain"
	privateKeyKey        = "schema.registry.ssl.keystore.key"
	identificationKey    = "schema.registry.ssl.endpoint.identification.algorithm"
)

// A Config is how a registry is reached.
type Config struct {
	URLs []Endpoint
	// ConnectTimeout bounds the connecting, with it ReadTimeout a whole request.
	ConnectTimeout, ReadTimeout time.Duration
	// MaxRetries is how often a failed request is sent again to all URLs, waiting from RetryWait doubling to RetryMaxWait.
	MaxRetries              int
	RetryWait, RetryMaxWait time.Duration
	// Headers are sent with every request.
	Headers map[string]string
	// TLS is for https URLs.
	TLS *tls.Config

	fromURL               bool
	user, password, token string
	proxy                 *url.URL
}

// keys returns the definitions of the keys that all converters with a registry have.
func keys() []connectors.ConfigKey {
	list := slices.Concat(writeKeys(), reachKeys(), credentialKeys())
	for i := range list {
		list[i].Width = connectors.WidthMedium
	}
	return list
}

func strategyKey(name, what string, order int) connectors.ConfigKey {
	return connectors.ConfigKey{
		Name: name, Type: connectors.ConfigString, Default: "io.confluent.kafka.serializers.subject.TopicNameStrategy",
		Importance: connectors.Medium, Group: "Schemas", Order: order,
		Validator: connectors.CheckFunc("one of "+strings.Join(strategyNames(), ", "), func(value any) string {
			class, _ := value.(string)
			if _, ok := strategyOf(class); !ok {
				return "must be one of " + strings.Join(strategyNames(), ", ")
			}
			return ""
		}),
		Doc: "What the subject of the schemas of " + what + " is named after: TopicNameStrategy, RecordNameStrategy or " +
			"TopicRecordNameStrategy, with or without their package.",
	}
}

func writeKeys() []connectors.ConfigKey {
	const group = "Schemas"
	return []connectors.ConfigKey{
		{
			Name: URLKey, Type: connectors.ConfigList, Required: true, Validator: connectors.NonEmptyList(),
			Importance: connectors.High, Group: group, Order: 1, Doc: "URLs of the schema registry. When one does not answer the next is asked.",
		},
		{
			Name: autoRegisterKey, Type: connectors.ConfigBoolean, Default: true, Importance: connectors.Medium, Group: group, Order: 2,
			Doc: "Register schemas that the subject does not have yet. Otherwise writing with such a schema fails.",
		},
		{
			Name: useLatestKey, Type: connectors.ConfigBoolean, Default: false, Importance: connectors.Low, Group: group, Order: 3,
			Doc: "Write with the latest schema of the subject instead of the record's own. Only with " + autoRegisterKey + "=false.",
		},
		{
			Name: strictKey, Type: connectors.ConfigBoolean, Default: true, Importance: connectors.Low, Group: group, Order: 4,
			Doc: "With " + useLatestKey + " or " + useIDKey + ": refuse records that have fields which the schema does not have. " +
				"Otherwise these fields are left out.",
		},
		{
			Name: useIDKey, Type: connectors.ConfigInt, Default: -1, Importance: connectors.Low, Group: group, Order: 5,
			Doc: "Write with the schema of this id instead of the record's own; -1 does not. Only with " + autoRegisterKey + "=false.",
		},
		{
			Name: normalizeKey, Type: connectors.ConfigBoolean, Default: false, Importance: connectors.Low, Group: group, Order: 6,
			Doc: "Ask the registry to treat schemas as the same that differ in their text only.",
		},
		strategyKey(keyStrategyKey, "keys", 7),
		strategyKey(valueStrategyKey, "values", 8),
		{
			Name: cacheKey, Aliases: []string{"schemas.cache.config", "schemas.cache.size"}, Type: connectors.ConfigInt, Default: 1000,
			Validator: connectors.AtLeast(1), Importance: connectors.Low, Group: group, Order: 9,
			Doc: "How many schemas are kept in translated form, for writing and for reading each.",
		},
		{
			Name: latestTTLKey, Type: connectors.ConfigLong, Default: -1, Importance: connectors.Low, Group: group, Order: 10,
			Doc: "Seconds after which the latest version of a subject is asked for again; -1 is never.",
		},
	}
}

func reachKeys() []connectors.ConfigKey {
	const group = "Connection"
	return []connectors.ConfigKey{
		{
			Name: connectTimeoutKey, Type: connectors.ConfigInt, Default: 60000, Validator: connectors.AtLeast(1), Importance: connectors.Low,
			Group: group, Order: 1, Aliases: []string{clientPrefix + connectTimeoutKey}, Doc: "Milliseconds to wait for a connection.",
		},
		{
			Name: readTimeoutKey, Type: connectors.ConfigInt, Default: 60000, Validator: connectors.AtLeast(1), Importance: connectors.Low,
			Group: group, Order: 2, Aliases: []string{clientPrefix + readTimeoutKey}, Doc: "Milliseconds to wait for an answer.",
		},
		{
			Name: retriesKey, Type: connectors.ConfigInt, Default: 3, Validator: connectors.Between(0, 100), Importance: connectors.Low,
			Group: group, Order: 3, Aliases: []string{clientPrefix + retriesKey},
			Doc: "How often a request that failed for a reason that may pass is sent again, before the task sees the failure.",
		},
		{
			Name: retryWaitKey, Type: connectors.ConfigInt, Default: 1000, Validator: connectors.AtLeast(0), Importance: connectors.Low,
			Group: group, Order: 4, Aliases: []string{clientPrefix + retryWaitKey}, Doc: "Milliseconds before the first such repetition. They double each time.",
		},
		{
			Name: retryMaxWaitKey, Type: connectors.ConfigInt, Default: 20000, Validator: connectors.AtLeast(0), Importance: connectors.Low,
			Group: group, Order: 5, Aliases: []string{clientPrefix + retryMaxWaitKey}, Doc: "The most milliseconds before a repetition.",
		},
		{
			Name: proxyHostKey, Type: connectors.ConfigString, Default: "", Importance: connectors.Low, Group: group, Order: 6,
			Aliases: []string{clientPrefix + proxyHostKey}, Doc: "Host of an HTTP proxy on the way to the registry.",
		},
		{
			Name: proxyPortKey, Type: connectors.ConfigInt, Default: -1, Importance: connectors.Low, Group: group, Order: 7,
			Aliases: []string{clientPrefix + proxyPortKey}, Doc: "Port of the HTTP proxy.",
		},
	}
}

func credentialKeys() []connectors.ConfigKey {
	const auth, security = "Authentication", "TLS"
	return []connectors.ConfigKey{
		{
			Name: credentialsSourceKey, Type: connectors.ConfigString, Default: "URL", Importance: connectors.Medium, Group: auth, Order: 1,
			Aliases: []string{clientPrefix + credentialsSourceKey},
			Doc:     "Where user and password come from: URL takes them from " + URLKey + ", USER_INFO from " + userInfoKey + ".",
		},
		{
			Name: userInfoKey, Type: connectors.ConfigPassword, Default: "", Importance: connectors.Medium, Group: auth, Order: 2,
			Aliases: []string{clientPrefix + userInfoKey}, Doc: "User and password for basic authentication, as user:password.",
		},
		{
			Name: bearerSourceKey, Type: connectors.ConfigString, Default: "", Importance: connectors.Medium, Group: auth, Order: 3,
			Aliases: []string{clientPrefix + bearerSourceKey}, Doc: "Where a bearer token comes from: empty for none, or STATIC_TOKEN.",
		},
		{
			Name: bearerTokenKey, Type: connectors.ConfigPassword, Default: "", Importance: connectors.Medium, Group: auth, Order: 4,
			Aliases: []string{clientPrefix + bearerTokenKey}, Doc: "The token for STATIC_TOKEN.",
		},
		{
			Name: trustLocationKey, Type: connectors.ConfigString, Default: "", Importance: connectors.Medium, Group: security, Order: 1,
			Aliases: []string{"ssl.truststore.location"}, Doc: "PEM file with the certificates of the authorities to trust. Without it those of the system are trusted.",
		},
		{
			Name: trustCertificatesKey, Type: connectors.ConfigPassword, Default: "", Importance: connectors.Medium, Group: security, Order: 2,
			Aliases: []string{"ssl.truststore.certificates"}, Doc: "The certificates to trust themselves, in PEM.",
		},
		{
			Name: keyLocationKey, Type: connectors.ConfigString, Default: "", Importance: connectors.Medium, Group: security, Order: 3,
			Aliases: []string{"ssl.keystore.location"}, Doc: "PEM file with the client's certificate chain and private key.",
		},
		{
			Name: keyChainKey, Type: connectors.ConfigPassword, Default: "", Importance: connectors.Medium, Group: security, Order: 4,
			Aliases: []string{"ssl.keystore.certificate.chain"}, Doc: "The client's certificate chain itself, in PEM.",
		},
		{
			Name: privateKeyKey, Type: connectors.ConfigPassword, Default: "", Importance: connectors.Medium, Group: security, Order: 5,
			Aliases: []string{"ssl.keystore.key"}, Doc: "The client's private key itself, in PEM and not encrypted.",
		},
		{
			Name: identificationKey, Type: connectors.ConfigString, Default: "https", Importance: connectors.Low, Group: security, Order: 6,
			Aliases: []string{"ssl.endpoint.identification.algorithm"}, Doc: "https checks that the certificate is for the host of the URL; empty does not.",
		},
	}
}

// newConfig reads how to reach the registry. headers are the keys of the configuration that no definition lists.
func newConfig(values connectors.Values, config map[string]string) (Config, error) {
	c := Config{
		ConnectTimeout: values.Millis(connectTimeoutKey), ReadTimeout: values.Millis(readTimeoutKey),
		MaxRetries: int(values.Int(retriesKey)), RetryWait: values.Millis(retryWaitKey), RetryMaxWait: values.Millis(retryMaxWaitKey),
		Headers: make(map[string]string),
	}
	var err error
	if c.URLs, err = endpoints(values.List(URLKey)); err != nil {
		return c, err
	}
	if err = c.credentials(values); err != nil {
		return c, err
	}
	if c.TLS, err = tlsConfig(values); err != nil {
		return c, err
	}
	for key, value := range config {
		if name, ok := strings.CutPrefix(strings.TrimPrefix(key, clientPrefix), headerPrefix); ok {
			c.Headers[name] = value
		}
	}
	host, port := values.String(proxyHostKey), values.Int(proxyPortKey)
	if host == "" {
		return c, nil
	}
	if port < 1 || port > 65535 {
		return c, &connectors.ConfigError{Msg: fmt.Sprintf("%s: must be from 1 to 65535 when %s is set, got %d", proxyPortKey, proxyHostKey, port)}
	}
	c.proxy = &url.URL{Scheme: "http", Host: net.JoinHostPort(host, strconv.Itoa(int(port)))}
	return c, nil
}

func (c *Config) transport() *http.Transport {
	dialer := &net.Dialer{Timeout: c.ConnectTimeout}
	t := &http.Transport{
		DialContext: dialer.DialContext, TLSClientConfig: c.TLS, TLSHandshakeTimeout: c.ConnectTimeout,
		ResponseHeaderTimeout: c.ReadTimeout, MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true,
	}
	if c.proxy != nil {
		t.Proxy = http.ProxyURL(c.proxy)
	}
	return t
}
