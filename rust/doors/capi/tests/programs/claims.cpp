// The header in C++, and an answer as a type: what it holds is given back once, whatever happens.
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <touchstone.h>

static_assert(std::is_same<decltype(&touchstone_abi), std::uint32_t (*)()>::value, "C linkage");
static_assert(std::is_same<std::underlying_type<TouchstoneStatus>::type, std::int32_t>::value, "a status has 32 bits");
static_assert(std::is_standard_layout<TouchstoneOptions>::value, "plain data");

class Answer {
public:
    explicit Answer(const std::string &request) {
        TouchstoneOptions options = TOUCHSTONE_OPTIONS_INIT;
        status_ = touchstone_run(TOUCHSTONE_ABI, request.data(), request.size(), &options, &answer_);
    }
    Answer(Answer &&other) noexcept : answer_(std::exchange(other.answer_, TouchstoneAnswer{})), status_(other.status_) {}
    Answer(const Answer &) = delete;
    Answer &operator=(const Answer &) = delete;
    ~Answer() { touchstone_free(&answer_); }

    // The text of an answer; a failure is an exception.
    std::string text() const {
        std::string text(answer_.text, answer_.len);
        if (status_ != TOUCHSTONE_STATUS_DONE)
            throw std::runtime_error(text);
        return text;
    }

private:
    TouchstoneAnswer answer_{};
    TouchstoneStatus status_;
};

static std::string digest(const std::string &image) {
    Answer answer("{\"operation\": \"pe.digest\", \"file\": \"" + image + "\"}");
    Answer moved(std::move(answer));
    return moved.text();
}

int main(int count, char **arguments) {
    if (count != 3)
        return 2;
    const std::string image = arguments[1], expected = digest(image);
    std::vector<std::string> answers(8);
    std::vector<std::thread> threads;
    for (auto &answer : answers)
        threads.emplace_back([&] { answer = digest(image); });
    for (auto &thread : threads)
        thread.join();
    for (const auto &answer : answers)
        if (answer != expected)
            return 1;
    try {
        Answer("{\"operation\": \"no.such\"}").text();
        return 1;
    } catch (const std::runtime_error &failure) {
        if (std::string(failure.what()).find("\"request.malformed\"") == std::string::npos)
            return 1;
    }
    std::cout << touchstone_version() << '\n' << answers.size() << '\n';
}
