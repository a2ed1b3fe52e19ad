package rest

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"

	"github.com/gin-gonic/gin"

	"millrace/connectors"
	"millrace/plugins/jaas"
	"millrace/plugins/properties"
)

// The one REST extension: Kafka's basic authentication, with users from a file that a login configuration names.
const (
	basicAuthPackage   = "org.apache.kafka.connect.rest.basic.auth.extension."
	basicAuthExtension = basicAuthPackage + "BasicAuthSecurityRestExtension"
	fileLoginModule    = basicAuthPackage + "PropertyFileLoginModule"
	loginSection       = "KafkaConnect"

	extensionsKey  = "rest.extension.classes"
	loginConfigKey = "java.security.auth.login.config"
)

// checkExtensions accepts the one extension that there is.
func checkExtensions(classes []string) error {
	var errs []error
	for _, class := range classes {
		if class != basicAuthExtension {
			errs = append(errs, connectors.InvalidValue(extensionsKey, class, "there is one REST extension, "+basicAuthExtension))
		}
	}
	return errors.Join(errs...)
}

// users are the SHA-256 of passwords by name, so that a comparison takes the same time whatever was sent.
type users map[string][sha256.Size]byte

func (u users) has(name, password string) bool {
	want, known := u[name]
	got := sha256.Sum256([]byte(password))
	return subtle.ConstantTimeCompare(want[:], got[:]) == 1 && known
}

// loadUsers reads a login configuration and the file of users that it names.
func loadUsers(loginConfig string) (users, []string, error) {
	wrong := func(reason string) error { return connectors.InvalidValue(loginConfigKey, loginConfig, reason) }
	if loginConfig == "" {
		return nil, nil, &connectors.ConfigError{Msg: fmt.Sprintf("%s: %s needs a login configuration; set %s to its file, here or as KAFKA_OPTS=-D%s=FILE",
			extensionsKey, basicAuthExtension, loginConfigKey, loginConfigKey)}
	}
	files := []string{loginConfig}
	text, err := os.ReadFile(loginConfig)
	if err != nil {
		return nil, files, wrong(err.Error())
	}
	sections, err := jaas.ParseFile(string(text))
	if err != nil {
		return nil, files, wrong(err.Error())
	}
	modules := sections[loginSection]
	if len(modules) != 1 || modules[0].Class != fileLoginModule {
		return nil, files, wrong(fmt.Sprintf("section %s must have one entry, with the login module %s", loginSection, fileLoginModule))
	}
	path := modules[0].Options["file"]
	if path == "" {
		return nil, files, wrong(fmt.Sprintf("section %s must have the option file, a file with lines like user=password", loginSection))
	}
	files = append(files, path)
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, files, wrong("its option file: " + err.Error())
	}
	entries, err := properties.Parse(data)
	if err != nil {
		return nil, files, wrong(fmt.Sprintf("its option file: %s is no file with lines like user=password", path))
	}
	all := make(users, len(entries))
	for _, e := range entries {
		all[e.Key] = sha256.Sum256([]byte(e.Value))
	}
	if len(all) == 0 { // Kafka's module lets everybody in then
		return nil, files, wrong(fmt.Sprintf("its option file: %s has no user", path))
	}
	return all, files, nil
}

// authenticate wants the credentials of a user for all routes but those between workers, which check a signature.
func (s *Server) authenticate(c *gin.Context) {
	name, password, ok := c.Request.BasicAuth()
	if ok && s.users.get().has(name, password) {
		return
	}
	c.Abort()
	c.Data(http.StatusUnauthorized, mediaJSON, []byte("User cannot access the resource.")) // not JSON, as with Connect
}

// hasBasicAuth reports whether users must say who they are.
func (c *Config) hasBasicAuth() bool { return slices.Contains(c.Extensions, basicAuthExtension) }
