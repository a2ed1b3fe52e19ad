// Package golden reads the recorded answers of Apache Kafka Connect that the tests compare with: schemas and values in the JSON
// form of the recordings, and files of cases from testdata and from the folder that GOLDEN_DIR names, if it is set.
package golden
