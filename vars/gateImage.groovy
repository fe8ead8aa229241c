import org.imagegate.Promotion

/** See gateImage.txt. */
Map call(Object parameters = [:]) {
    return new Promotion(this).gate(parameters)
}
