package mirror

import "millrace/connectors"

// securityKeys are the ssl.* and sasl.* keys that every client of Kafka knows. They are declared as Kafka's connectors declare them; what
// counts is the same keys after source.cluster. and target.cluster. (see clients.go).
func securityKeys() []connectors.ConfigKey {
	const (
		low, medium, high = connectors.Low, connectors.Medium, connectors.High
		text              = connectors.ConfigString
		secret            = connectors.ConfigPassword
		class             = connectors.ConfigClass
		integer, long     = connectors.ConfigInt, connectors.ConfigLong
	)
	within := func(name string, t connectors.ConfigType, byDefault any, from, to float64, doc string) connectors.ConfigKey {
		return oneOf(key(name, t, byDefault, low, doc), connectors.Between(from, to))
	}
	classKey := func(name string, doc string) connectors.ConfigKey {
		k := key(name, class, nil, medium, doc+" Classes of one's own are not available here.")
		k.ClassExists = func(string) bool { return false }
		return k
	}
	engine := classKey("ssl.engine.factory.class", "Makes TLS engines.")
	engine.Importance = low
	const ssl, sasl, oauth = "ssl.", "sasl.", "sasl.oauthbearer."
	const jwt = "org.apache.kafka.common.security.oauthbearer."
	return []connectors.ConfigKey{
		key(ssl+"protocol", text, "TLSv1.3", medium, "TLS version to prefer."),
		key(ssl+"provider", text, nil, medium, "Java's security provider; without meaning here."),
		list(ssl+"cipher.suites", "", low, "Cipher suites to allow; empty allows the safe ones."),
		list(ssl+"enabled.protocols", "TLSv1.2,TLSv1.3", medium, "TLS versions to allow."),
		key(ssl+"keystore.type", text, "JKS", medium, "Format of the key store: JKS, PKCS12 or PEM."),
		key(ssl+"keystore.location", text, nil, high, "File with the client's key and certificate."),
		key(ssl+"keystore.password", secret, nil, high, "Password of the key store."),
		key(ssl+"key.password", secret, nil, high, "Password of the key in it."),
		key(ssl+"keystore.key", secret, nil, high, "The client's key itself, as PEM."),
		key(ssl+"keystore.certificate.chain", secret, nil, high, "The client's certificate itself, as PEM."),
		key(ssl+"truststore.certificates", secret, nil, high, "Certificates to trust, as PEM."),
		key(ssl+"truststore.type", text, "JKS", medium, "Format of the trust store: JKS, PKCS12 or PEM."),
		key(ssl+"truststore.location", text, nil, high, "File with the certificates to trust."),
		key(ssl+"truststore.password", secret, nil, high, "Password of the trust store."),
		key(ssl+"keymanager.algorithm", text, "SunX509", low, "Java's key manager; without meaning here."),
		key(ssl+"trustmanager.algorithm", text, "PKIX", low, "Java's trust manager; without meaning here."),
		key(ssl+"endpoint.identification.algorithm", text, "https", low, "https checks that the certificate has the broker's name; empty does not."),
		key(ssl+"secure.random.implementation", text, nil, low, "Java's source of randomness; without meaning here."),
		engine,
		key(sasl+"kerberos.service.name", text, nil, medium, "Kerberos is not available here."),
		key(sasl+"kerberos.kinit.cmd", text, "/usr/bin/kinit", low, "Kerberos is not available here."),
		key(sasl+"kerberos.ticket.renew.window.factor", connectors.ConfigDouble, "0.8", low, "Kerberos is not available here."),
		key(sasl+"kerberos.ticket.renew.jitter", connectors.ConfigDouble, "0.05", low, "Kerberos is not available here."),
		key(sasl+"kerberos.min.time.before.relogin", long, 60000, low, "Kerberos is not available here."),
		oneOf(key(sasl+"login.refresh.window.factor", connectors.ConfigDouble, "0.8", low, "Part of a token's life after which a new one is fetched."), fraction(0.5, 1)),
		oneOf(key(sasl+"login.refresh.window.jitter", connectors.ConfigDouble, "0.05", low, "Jitter of that part."), fraction(0, 0.25)),
		within(sasl+"login.refresh.min.period.seconds", connectors.ConfigShort, 60, 0, 900, "Least time between two fetches of a token."),
		within(sasl+"login.refresh.buffer.seconds", connectors.ConfigShort, 300, 0, 3600, "Time before a token's end at which a new one is there."),
		key(sasl+"mechanism", text, "GSSAPI", medium, "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER. Kafka's default needs Kerberos."),
		key(sasl+"jaas.config", secret, nil, medium, "Login module with user and password, in JAAS format."),
		classKey(sasl+"client.callback.handler.class", "Answers for a SASL client."),
		classKey(sasl+"login.callback.handler.class", "Answers for a login."),
		classKey(sasl+"login.class", "Logs in."),
		key(sasl+"login.connect.timeout.ms", integer, nil, low, "Time to connect to a token endpoint, in milliseconds."),
		key(sasl+"login.read.timeout.ms", integer, nil, low, "Time for its answer, in milliseconds."),
		key(sasl+"login.retry.backoff.max.ms", long, 10000, low, "Longest wait before a token is asked for again, in milliseconds."),
		key(sasl+"login.retry.backoff.ms", long, 100, low, "First wait before a token is asked for again, in milliseconds."),
		oneKnown(key(oauth+"jwt.retriever.class", class, jwt+"DefaultJwtRetriever", medium, "Fetches tokens; there is only the default one.")),
		oneKnown(key(oauth+"jwt.validator.class", class, jwt+"DefaultJwtValidator", medium, "Checks tokens; there is only the default one.")),
		key(oauth+"scope", text, nil, medium, "Scope to ask the token endpoint for."),
		key(oauth+"client.credentials.client.id", text, nil, medium, "The client's id at the token endpoint."),
		key(oauth+"client.credentials.client.secret", secret, nil, medium, "The client's secret there."),
		oneOf(key(oauth+"assertion.algorithm", text, "RS256", medium, "Algorithm that signs an assertion."), connectors.CaseInsensitiveIn("RS256", "ES256")),
		key(oauth+"assertion.claim.aud", text, nil, medium, "Claim aud of an assertion."),
		within(oauth+"assertion.claim.exp.seconds", integer, 300, 0, 86400, "Seconds for which an assertion is valid."),
		key(oauth+"assertion.claim.iss", text, nil, medium, "Claim iss of an assertion."),
		key(oauth+"assertion.claim.jti.include", connectors.ConfigBoolean, false, medium, "Whether an assertion has an id."),
		within(oauth+"assertion.claim.nbf.seconds", integer, 60, 0, 3600, "Seconds by which an assertion is valid before its time."),
		key(oauth+"assertion.claim.sub", text, nil, medium, "Claim sub of an assertion."),
		key(oauth+"assertion.file", text, nil, medium, "File with an assertion made elsewhere."),
		key(oauth+"assertion.private.key.file", text, nil, medium, "File with the key that signs an assertion."),
		key(oauth+"assertion.private.key.passphrase", secret, nil, medium, "Password of that key."),
		key(oauth+"assertion.template.file", text, nil, medium, "File with an assertion's other claims."),
		key(oauth+"scope.claim.name", text, "scope", low, "Claim that holds the scope."),
		key(oauth+"sub.claim.name", text, "sub", low, "Claim that holds the subject."),
		key(oauth+"token.endpoint.url", text, nil, medium, "Where tokens are fetched."),
		key(oauth+"jwks.endpoint.url", text, nil, medium, "Where a broker finds the keys of tokens; clients do not need it."),
		key(oauth+"jwks.endpoint.refresh.ms", long, 3600000, low, "How often a broker fetches those keys, in milliseconds."),
		key(oauth+"jwks.endpoint.retry.backoff.max.ms", long, 10000, low, "Its longest wait before it tries again, in milliseconds."),
		key(oauth+"jwks.endpoint.retry.backoff.ms", long, 100, low, "Its first wait before it tries again, in milliseconds."),
		key(oauth+"clock.skew.seconds", integer, 30, low, "By how much clocks may differ."),
		list(oauth+"expected.audience", "", high, "Audiences that a broker accepts."),
		key(oauth+"expected.issuer", text, nil, high, "Issuer that a broker accepts."),
		key(oauth+"header.urlencode", connectors.ConfigBoolean, false, low, "Whether id and secret are URL-encoded for the token endpoint."),
		list("config.providers", "", low, "Providers of configuration are the worker's."),
	}
}

// oneKnown accepts no class but the default one.
func oneKnown(k connectors.ConfigKey) connectors.ConfigKey {
	known, _ := k.Default.(string)
	k.ClassExists = func(class string) bool { return class == known }
	return k
}

// fraction is connectors.Between with the limits as Java prints numbers that are no integers.
func fraction(lowest, highest float64) connectors.ConfigCheck {
	from, to := connectors.Text(lowest), connectors.Text(highest)
	return connectors.CheckFunc("["+from+",...,"+to+"]", func(value any) string {
		f, ok := value.(float64)
		switch {
		case !ok:
			return "Value must be non-null"
		case f < lowest:
			return "Value must be at least " + from
		case f > highest:
			return "Value must be no more than " + to
		}
		return ""
	})
}
