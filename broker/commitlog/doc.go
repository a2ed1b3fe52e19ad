// Package commitlog is one log on disk, in Apache Kafka's formats.
package commitlog
