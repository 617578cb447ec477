// The tutorial's consumer as a peer: N threads of one group, each with a KafkaConsumer of its own,
// appending values to its own file and committing after each batch. It does not flush to the disk.

import java.io.BufferedWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.StringDeserializer;

public final class ConsumerSaveMetric {
    public static void main(String[] arguments) throws Exception {
        String brokers = arguments[0];
        String topic = arguments[1];
        String group = arguments[2];
        Path folder = Path.of(arguments[3]);
        int threads = Integer.parseInt(arguments[4]);
        List<KafkaConsumer<String, String>> consumers = new ArrayList<>();
        List<Thread> running = new ArrayList<>();
        for (int number = 0; number < threads; number++) {
            Properties settings = new Properties();
            settings.put("bootstrap.servers", brokers);
            settings.put("group.id", group);
            settings.put("enable.auto.commit", "false");
            settings.put("auto.offset.reset", "earliest");
            settings.put("key.deserializer", StringDeserializer.class.getName());
            settings.put("value.deserializer", StringDeserializer.class.getName());
            KafkaConsumer<String, String> consumer = new KafkaConsumer<>(settings);
            Path file = folder.resolve("consumer-thread-" + number + ".csv");
            consumers.add(consumer);
            running.add(new Thread(() -> consume(consumer, topic, file)));
        }
        running.forEach(Thread::start);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            consumers.forEach(KafkaConsumer::wakeup);
            for (Thread thread : running) {
                try {
                    thread.join();
                } catch (InterruptedException interrupted) {
                    Thread.currentThread().interrupt();
                }
            }
        }));
    }

    private static void consume(KafkaConsumer<String, String> consumer, String topic, Path file) {
        try (consumer;
                BufferedWriter out = Files.newBufferedWriter(file, StandardCharsets.UTF_8,
                        StandardOpenOption.CREATE, StandardOpenOption.APPEND)) {
            consumer.subscribe(List.of(topic));
            while (true) {
                ConsumerRecords<String, String> records = consumer.poll(Duration.ofMillis(500));
                for (ConsumerRecord<String, String> record : records) {
                    out.write(record.value());
                    out.newLine();
                }
                if (!records.isEmpty()) {
                    out.flush();
                    consumer.commitSync();
                }
            }
        } catch (WakeupException stop) {
            // Asked to end.
        } catch (Exception error) {
            error.printStackTrace();
            System.exit(1);
        }
    }
}
