import org.imagegate.Promotion

/** See gateImage.txt. */
Map call(Map parameters = [:]) {
    return new Promotion(this).gate(parameters)
}
