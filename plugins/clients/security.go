package clients

import (
	"context"
	"crypto/tls"
	"strings"

	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"millrace/plugins/sslconfig"
)

// security reads security.protocol and what belongs to it. Either result may be nil.
func security(s *settings, worker map[string]string) (*tls.Config, sasl.Mechanism) {
	protocol, _ := s.text("security.protocol")
	var config *tls.Config
	var mechanism sasl.Mechanism
	switch strings.ToUpper(protocol) {
	case "", "PLAINTEXT":
	case "SSL":
		config = s.tls()
	case "SASL_PLAINTEXT":
		mechanism = authentication(s, worker)
	case "SASL_SSL":
		config, mechanism = s.tls(), authentication(s, worker)
	default:
		s.wrong("security.protocol", "String must be one of: PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL")
	}
	if config == nil {
		s.acceptPrefixes("ssl.")
	}
	if mechanism == nil {
		s.acceptPrefixes("sasl.")
	}
	return config, mechanism
}

// tls reads ssl.*. It is never nil; mistakes are in s.
func (s *settings) tls() *tls.Config {
	s.accept(sslconfig.Keys()...)
	config, err := sslconfig.Client(s.props)
	if err != nil {
		s.errs = append(s.errs, err)
	}
	return config
}

const securityPackage = "org.apache.kafka.common.security."

// loginModules are the modules that a jaas text may name, by the mechanism they are for. There is no way to run another.
var loginModules = map[string]string{
	"PLAIN":         securityPackage + "plain.PlainLoginModule",
	"SCRAM-SHA-256": securityPackage + "scram.ScramLoginModule",
	"SCRAM-SHA-512": securityPackage + "scram.ScramLoginModule",
	"OAUTHBEARER":   securityPackage + "oauthbearer.OAuthBearerLoginModule",
}

func authentication(s *settings, worker map[string]string) sasl.Mechanism {
	name, ok := s.text("sasl.mechanism")
	if !ok {
		name = "GSSAPI"
	}
	module, ok := loginModules[name]
	if !ok {
		s.props["sasl.mechanism"] = name
		s.wrong("sasl.mechanism", "String must be one of: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER")
		return nil
	}
	for _, key := range []string{"sasl.client.callback.handler.class", "sasl.login.class"} {
		if class, _ := s.text(key); class != "" {
			s.wrong(key, "classes of one's own are not available here")
		}
	}
	text, ok := s.text("sasl.jaas.config")
	if !ok {
		s.wrong("sasl.jaas.config", "must be set for sasl.mechanism "+name)
		return nil
	}
	options, err := loginOptions(text, module)
	if err != nil {
		s.wrong("sasl.jaas.config", err.Error())
		return nil
	}
	s.accept("sasl.kerberos.service.name", "sasl.login.refresh.window.factor", "sasl.login.refresh.window.jitter",
		"sasl.login.refresh.min.period.seconds", "sasl.login.refresh.buffer.seconds")
	if name == "OAUTHBEARER" {
		tokens := newTokens(s, options, worker)
		return oauth.Oauth(func(ctx context.Context) (oauth.Auth, error) {
			token, err := tokens.get(ctx)
			return oauth.Auth{Token: token, Extensions: tokens.extensions}, err
		})
	}
	if class, _ := s.text("sasl.login.callback.handler.class"); class != "" {
		s.wrong("sasl.login.callback.handler.class", "classes of one's own are not available here")
	}
	user, password := options["username"], options["password"]
	if user == "" {
		s.wrong("sasl.jaas.config", "must have a username")
	}
	switch name {
	case "SCRAM-SHA-256":
		return scram.Auth{User: user, Pass: password, IsToken: options["tokenauth"] == "true"}.AsSha256Mechanism()
	case "SCRAM-SHA-512":
		return scram.Auth{User: user, Pass: password, IsToken: options["tokenauth"] == "true"}.AsSha512Mechanism()
	}
	return plain.Auth{User: user, Pass: password}.AsMechanism()
}
