// Package providers resolves references to config providers in configurations: ${provider:path:key} and ${provider:key}, as
// Kafka does it, so that secrets stand in files or in the environment and not in configurations.
//
// Read Set first (set.go): Parse makes it from the worker's keys config.providers and config.providers.<name>.*, Resolve replaces the
// references in a configuration. files.go has the providers file (a properties file) and directory (a file for each key), env.go the
// environment.
//
// A key that a provider does not have leaves the reference as it is, and so does a provider that nobody configured: Resolved.Missing names
// them. What cannot be read is an error. allowed.paths and allowlist.pattern bound what is readable; symbolic links are followed before
// they are compared. ttl.ms, which Kafka's own providers do not have, says how often values are to be looked at again.
//
// Limits: the three providers are all there are; their results are not resolved again; a file above 1 MiB is refused.
package providers
