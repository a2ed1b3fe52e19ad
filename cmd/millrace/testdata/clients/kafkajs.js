// Creates a topic with kafkajs, writes records with keys and headers, and reads them back as a member of a group.
// Usage: node kafkajs.js host:port topic count. The last line printed is what was read, as JSON.
const { Kafka, logLevel } = require('kafkajs')

const [broker, topic, countText] = process.argv.slice(2)
const count = Number(countText)

async function main() {
  const kafka = new Kafka({ clientId: 'kafkajs', brokers: [broker], logLevel: logLevel.ERROR })
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic, numPartitions: 3 }], waitForLeaders: true })
  const producer = kafka.producer()
  await producer.connect()
  await producer.send({
    topic,
    acks: -1,
    messages: Array.from({ length: count }, (_, i) => ({ key: `key-${i}`, value: `value-${i}`, headers: { n: String(i) } })),
  })
  await producer.disconnect()

  const seen = new Set()
  let headers = 0
  const consumer = kafka.consumer({ groupId: `${topic}-group` })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await new Promise((resolve) => {
    consumer.run({
      eachMessage: async ({ message }) => {
        seen.add(message.value.toString())
        if (message.headers.n) headers++
        if (seen.size === count) resolve()
      },
    })
  })
  await consumer.disconnect()
  const groups = await admin.listGroups()
  const offsets = await admin.fetchOffsets({ groupId: `${topic}-group`, topics: [topic] })
  const committed = offsets[0].partitions.reduce((sum, p) => sum + Math.max(0, Number(p.offset)), 0)
  await admin.disconnect()
  const grouped = groups.groups.some((g) => g.groupId === `${topic}-group`)
  console.log(JSON.stringify({ seen: seen.size, headers, grouped, committed }))
}

main().catch((err) => {
  console.error(err)
  process.exit(1)
})
